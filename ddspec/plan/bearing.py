"""Which settings a field of a work is made from, so that a changed field leads to its setting."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

_SCHEDULE = (
    "perturbation",
    "pool.models",
    "pool.record",
    "pool.weights",
    "matcher.models_per_image",
    "seed",
)
BEARING: Mapping[str, tuple[str, ...]] = {
    "kind": ("pool",),
    "revision": (),
    "source": ("dataset",),
    "split": (),
    "network": ("network",),
    "evaluate.network": ("evaluate.networks", "network"),
    "evaluate.best_on_validation": ("evaluate.best_on_validation",),
    "evaluate.protocol": ("evaluate", "budget", "parameterization", "dataset"),
    **dict.fromkeys(
        (f"relabel.{field}" for field in ("epochs", "steps", "batch", "augmentation", "mixup")),
        ("evaluate", "budget", "parameterization", "dataset"),
    ),
    **dict.fromkeys(
        (f"select.{field}" for field in ("epochs", "batch", "optimizer", "decay", "augmentation")),
        ("evaluate.baselines.features",),
    ),
    "epochs": ("pool",),
    "batch": ("pool",),
    "optimizer": ("pool",),
    "decay": ("pool",),
    "augmentation": ("pool.vary", "augmentation.training"),
    "cutmix": ("augmentation.cutmix",),
    "record": ("pool",),
    "record_precision": ("pool.record_precision",),
    "sharpness": ("pool.sharpness",),
    "events": ("evaluate.baselines",),
    "zca": ("parameterization", "evaluate.protocol"),
    "channels": ("dataset",),
    "size": ("dataset",),
    "content": ("pool",),
    "flops": ("pool.flops",),
    "parameters": ("pool.parameters",),
    "teachers": ("labels", "pool", "network"),
    "on_real": ("evaluate.baselines",),
    "seed": ("seed",),
    "precision": ("precision",),
    "images_per_class": ("budget",),
    "classes": ("resources.shards", "dataset"),
    "start": ("loops", "resources"),
    "stop": ("loops", "resources"),
    "inner_steps": ("loops.inner_steps",),
    "schedule": _SCHEDULE,
    "schedule_digest": (*_SCHEDULE, "loops"),
    "networks": ("pool",),
    "inner": ("inner",),
    "matcher": ("matcher",),
    "labels": ("labels",),
    "matching_augmentation": ("augmentation.matching",),
    "training_augmentation": ("augmentation.training",),
    "parameterization": ("parameterization",),
    "init": ("init",),
    "update": ("update", "budget", "dataset"),
    "selection": ("parameterization", "init", "network"),
    "shards": ("resources.shards",),
    **dict.fromkeys(
        ("layout", "files", "space", "mean", "std", "experiment", "order", "learned_lr"),
        ("imported", "dataset"),
    ),
    "import.labels": ("labels",),
}
"""Sections of a spec by field of a work, or by the first word of labels and field; a field that is
missing may be made from any setting."""

COUNTING = (
    "evaluate.repeats",
    "evaluate.baselines",
    "evaluate.networks",
    "evaluate.on",
    "evaluate.snapshots",
    "evaluate.best_on_validation",
    "pool.kind",
    "pool.models",
    "pool.weights",
    "pool.record",
    "pool.converged",
    "resources.shards",
    "loops.snapshots",
    "labels",
    "imported",
    "dataset",
)
"""Sections that decide which stages there are."""


def adding(changed: Iterable[str], axes: Collection[str] = ()) -> tuple[str, ...]:
    """Return those of the changed settings that can add a stage; all where none of them can.

    `axes` are settings that a matrix sets: each of their values is a variant of its own.
    """
    paths = tuple(changed)
    found = {path for section in COUNTING for path in _under(section, paths)} | {*axes}
    return tuple(path for path in paths if path in found) or paths


def behind(head: str, field: str, changed: Iterable[str]) -> tuple[str, ...]:
    """Return those of the changed settings that a field of a work may be made from.

    `head` is the first word of the stage's label, `field` is the dotted path of a leaf of the work.
    Of several changed settings in these sections, those of the same last name are meant, if there
    are any.
    """
    first = field.partition(".")[0]
    sections = BEARING.get(f"{head}.{first}", BEARING.get(first))
    paths = tuple(changed)
    if sections is None:
        return _meant(field, _under(first, paths)) or paths
    found = tuple(dict.fromkeys(path for section in sections for path in _under(section, paths)))
    return _meant(field, found)


def _under(section: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths in a section, or of one above it, which was replaced whole."""
    inside = f"{section}."
    return tuple(
        path
        for path in paths
        if path == section or path.startswith(inside) or inside.startswith(f"{path}.")
    )


def _meant(field: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    last = field.rpartition(".")[2]
    return tuple(path for path in paths if path.rpartition(".")[2] == last) or paths
