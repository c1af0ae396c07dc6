"""A set that is imported instead of distilled: its work, its files, what it leaves idle."""

from __future__ import annotations

from ddspec.plan.ir import DataFacts
from ddspec.plan.works import effective_shape
from ddspec.spec.experiment import Experiment
from ddspec.spec.imported import ImportedSpec
from ddspec.spec.method import ExpertLabelsSpec, LearnedLabelsSpec, SoftLabelsSpec
from ddspec.wire.imported import ImportedFile
from ddspec.wire.work import ImportWork

IMPORT = "import"
"""The label of the stage."""
IDLE = frozenset({"perturbation", "inner", "matcher", "init", "update", "loops", "augmentation"})
"""Sections of a spec that reach nothing where the set is imported."""


def idle(experiment: Experiment) -> frozenset[str]:
    """Return the sections that reach nothing: without an import, none.

    The pool's networks are made where they are teachers.
    """
    if experiment.imported is None:
        return frozenset()
    taught = isinstance(experiment.labels, SoftLabelsSpec)
    return IDLE - {"augmentation"} if taught else IDLE | {"pool"}


def import_work(experiment: Experiment, data: DataFacts) -> ImportWork:
    """Return how the set is taken over; where its files lie is no part of it."""
    asked = _asked(experiment)
    labels = experiment.labels
    given = isinstance(labels, LearnedLabelsSpec | ExpertLabelsSpec)
    known = (asked.mean, asked.std) == (data.mean, data.std)
    return ImportWork(
        layout=asked.layout,
        files=tuple(
            ImportedFile(content=file.sha256, holds=None if file.holds == "images" else file.holds)
            for file in asked.files
        ),
        space=asked.space,
        mean=None if known else asked.mean,
        std=None if known else asked.std,
        experiment=asked.experiment or 0,
        order=_order(asked, data),
        labels=labels.kind if labels is not None and given else None,
        learned_lr=asked.learning_rate,
        images_per_class=experiment.budget.images_per_class,
        parameterization=effective_shape(experiment),
    )


def import_location(experiment: Experiment) -> dict[str, str]:
    """Return where each file lies under the data directory."""
    return {f"file/{index}": file.path for index, file in enumerate(_asked(experiment).files)}


def _order(asked: ImportedSpec, data: DataFacts) -> tuple[int, ...] | None:
    """Return the dataset's label of each label in the files; None where they are the same."""
    if asked.classes is None or asked.classes == data.classes:
        return None
    numbers = {name: number for number, name in enumerate(data.classes)}
    return tuple(numbers[name] for name in asked.classes)


def _asked(experiment: Experiment) -> ImportedSpec:
    if experiment.imported is None:
        raise TypeError("this set is distilled, and not imported")
    return experiment.imported
