"""Rules about pieces that a matcher would pass over: labels nobody learns, averages of nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ddspec.plan.findings import Finding, error
from ddspec.plan.ir import DataFacts
from ddspec.spec.experiment import Experiment
from ddspec.spec.method import (
    ExpertLabelsSpec,
    LearnedLabelsSpec,
    MultiFormationSpec,
    StatisticsMatcherSpec,
    TrajectoryMatcherSpec,
)


def learned_label_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield labels that are to be learned where no loss depends on them."""
    matcher = experiment.matcher
    learned = isinstance(experiment.labels, LearnedLabelsSpec)
    if not learned or isinstance(matcher, TrajectoryMatcherSpec):
        return
    yield error(
        61,
        ("labels", "kind"),
        f"`{matcher.kind}` matching compares the images of a class, and nothing in it would move "
        "a label",
        "use `matcher: {kind: trajectory}`, whose student learns from the labels, or leave "
        "`labels` out",
    )


def averaging_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield averages of images where the best ones are to be kept."""
    matcher = experiment.matcher
    best = isinstance(matcher, StatisticsMatcherSpec) and matcher.keep == "best"
    if not best or experiment.update.averaging is None:
        return
    yield error(
        62,
        ("update", "averaging"),
        "the set cannot be the average of the images and those of the smallest loss",
        "leave `averaging` out, or use `matcher.keep: last`",
    )


def expert_label_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield labels of an expert for images that nobody is shown whole."""
    shape = experiment.parameterization
    several = isinstance(shape, MultiFormationSpec) and shape.factor > 1
    if not several or not isinstance(experiment.labels, ExpertLabelsSpec):
        return
    yield error(
        63,
        ("labels", "kind"),
        "an expert gives each stored image one label, and a stored image is several views here, "
        "which need not look alike",
        "use `parameterization: {kind: pixels}`, or `labels: {kind: learned, …}`",
    )


def student_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield augmentation that would go past the student of trajectory matching."""
    policy = experiment.augmentation.matching
    if not isinstance(experiment.matcher, TrajectoryMatcherSpec) or policy.kind == "none":
        return
    yield error(
        64,
        ("augmentation", "matching"),
        f"`trajectory` matching compares parameters, so no images would go through `{policy.kind}`",
        "set `augmentation.training`, which is what its student sees, and leave `matching` out",
    )


COMPOSITION_RULES = (
    learned_label_findings,
    averaging_findings,
    expert_label_findings,
    student_findings,
)
