"""Rules about sets that are imported: what their files and the other sections agree on."""

from __future__ import annotations

from collections.abc import Iterator

from ddspec.plan.findings import Finding, Path, error
from ddspec.plan.ir import DataFacts
from ddspec.spec.experiment import Experiment
from ddspec.visible import visible


def distilling_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield what is asked about a distillation that never was."""
    evaluate = experiment.evaluate
    if evaluate.snapshots:
        message = "sets on the way are to be judged, and an imported set has none"
        yield error(76, ("evaluate", "snapshots"), message, "leave it out")
    if evaluate.baselines.init:
        message = "nobody knows where the distillation of an imported set began"
        yield error(76, ("evaluate", "baselines", "init"), message, "set it to 0")
    if experiment.resources.shards > 1:
        message = "an imported set is taken whole: shards are of distillation"
        yield error(76, ("resources", "shards"), message, "use `shards: 1`")


def space_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield sets in ZCA space that are to be kept in another one, or the other way."""
    asked, kept = experiment.imported, experiment.parameterization.space
    if asked is None or (asked.space == "zca") == (kept == "zca"):
        return
    path: Path = ("parameterization", "space")
    message = (
        f"the files are in {asked.space} space and the set is to be kept in {kept} space: only "
        "pixels and normalised values are turned into each other"
    )
    yield error(77, path, message, f"use `space: {asked.space}` here")


def fit_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield statistics and classes that are not those of the dataset's images."""
    asked = experiment.imported
    if asked is None:
        return
    if asked.mean is not None and len(asked.mean) != data.channels:
        message = f"{len(asked.mean)} values, and images have {data.channels} channels"
        yield error(78, ("imported", "mean"), message, "give one value a channel")
    if asked.classes is None or not data.classes or asked.classes == data.classes:
        return
    foreign = [name for name in asked.classes if name not in data.classes]
    if foreign:
        message = f"`{visible(foreign[0])}` is no class of the dataset"
    elif len(set(asked.classes)) != len(asked.classes):
        message = "a class is named twice"
    elif len(asked.classes) != len(data.classes):
        message = f"{len(asked.classes)} classes, and the dataset has {len(data.classes)}"
    else:
        return
    hint = "name all of the dataset's classes, in the order of the labels in the files"
    yield error(78, ("imported", "classes"), message, hint)


IMPORT_RULES = (distilling_findings, space_findings, fit_findings)
