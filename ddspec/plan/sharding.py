"""Where class shards end with the very set that one job would have learned, and where not."""

from __future__ import annotations

from typing import Literal, TypeAlias, assert_never

from ddspec.plan.works import shard_ranges
from ddspec.spec.experiment import Experiment
from ddspec.spec.method import (
    DistributionMatcherSpec,
    GradientMatcherSpec,
    OnSyntheticInnerSpec,
    StatisticsMatcherSpec,
    TrajectoryMatcherSpec,
)
from ddspec.spec.network import NetworkSpec, norm_of

Blocks: TypeAlias = Literal["class", "batch", "whole"]


def blocks_of(experiment: Experiment) -> Blocks:
    """Return the parts of the set that do not see each other while it is learned.

    `class`: each class by itself; `batch`: an image index by a chunk of classes; `whole`: the loss
    of one image depends on all others.
    """
    matcher = experiment.matcher
    match matcher:
        case GradientMatcherSpec():
            return "class"
        case DistributionMatcherSpec():
            by_batch = matcher.features == "embedding" and matcher.batch_norm == "batch"
            return "whole" if by_batch and has_batch_norm(experiment.network) else "class"
        case StatisticsMatcherSpec():
            return "batch"
        case TrajectoryMatcherSpec():
            return "whole"
        case _:
            assert_never(matcher)


def why_not(experiment: Experiment, classes: int) -> tuple[str, str]:
    """Return why the shards that a spec asks for are not exact, and a way out; empty if they are.

    `classes` is 0 where only a lock can tell.
    """
    match blocks_of(experiment):
        case "whole" if isinstance(experiment.matcher, TrajectoryMatcherSpec):
            return "a student is trained on the images of all classes at once", ""
        case "whole":
            return (
                "batch norm sees the images of all classes in one batch",
                "use a network with `norm: instance`, or `batch_norm: running`",
            )
        case "batch" if isinstance(experiment.matcher, StatisticsMatcherSpec):
            return _cut_batches(experiment, classes, experiment.matcher.classes_per_batch)
    if isinstance(experiment.inner, OnSyntheticInnerSpec) and experiment.loops.inner_steps > 1:
        return (
            "the networks are trained on the whole synthetic set, which no shard has",
            "with one inner step no network is ever trained on it",
        )
    return "", ""


def has_batch_norm(network: NetworkSpec) -> bool:
    """Tell whether a network keeps batch statistics."""
    return norm_of(network) == "batch"


def _cut_batches(experiment: Experiment, classes: int, chunk: int) -> tuple[str, str]:
    ranges = shard_ranges(classes, experiment.resources.shards)
    if all(part.start % chunk == 0 for part in ranges):
        return "", ""
    return (
        f"a batch holds {chunk} classes, and a shard would begin within one",
        "take a number of shards whose share of the classes is a multiple of "
        "`matcher.classes_per_batch`",
    )
