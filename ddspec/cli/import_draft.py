"""From what files hold, and what a person says of them, to the spec that imports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.presets.normalisation import OFFICIAL
from ddspec.spec.import_text import ImportDraft, ImportedFileText
from ddspec.spec.imported import Layout
from ddspec.spec.learned import MultiFormationSpec, Space
from ddspec.spec.method import SoftLabelsSpec
from ddspec.visible import visible

if TYPE_CHECKING:
    from ddspec.plan.ir import Plan
    from ddspec.run.inspection import Inspected
    from ddspec.spec.experiment import Experiment

LAYOUTS: dict[Layout, str] = {"dc": "DC, DSA and DM", "mtt": "MTT", "idc": "IDC"}
FACTORS: dict[Layout, str] = {
    "idc": "`--factor 2`, as in its name; `--factor 1` where images are whole",
    "dc": "`--factor 2` of IDM with its `--aug`; `--factor 1` of DC, DSA and DM",
}
WHY: dict[tuple[Layout, Space], str] = {
    ("dc", "normalised"): "the code of DC, DSA and DM keeps what networks are fed",
    ("mtt", "normalised"): "the code of MTT keeps what networks are fed",
    ("mtt", "zca"): "the code of MTT keeps what networks are fed",
    ("idc", "pixel"): "the code of IDC keeps pixels",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person says of files."""

    layout: Layout
    places: tuple[str, ...]
    """Below the data directory."""
    space: Space
    stated: bool
    """Whether a person said the space; else it follows from the layout."""
    experiment: int | None
    factor: int | None
    learning_rate: float | None
    extends: str
    name: str
    steps: tuple[str, ...]
    """The commands that follow."""


def draft_of(asked: Asked, base: Plan, seen: Inspected) -> ImportDraft:
    """Return what the spec says; raises `DdspecError` where files and spec do not fit together."""
    variant = base.variants[0]
    images_per_class = _images_per_class(base, seen)
    _require_labels(base, seen)
    known = OFFICIAL[asked.layout].get(variant.experiment.dataset.kind)
    mean, std = known if known is not None and asked.space == "normalised" else (None, None)
    return ImportDraft(
        name=asked.name,
        head=(
            f"A set that the code of {LAYOUTS[asked.layout]} wrote, "
            f"judged as {visible(asked.extends)} is.",
            *_words(asked, seen),
            "",
            *(f"  {visible(step)}" for step in asked.steps),
        ),
        extends=asked.extends,
        settings=variant.settings,
        images_per_class=images_per_class,
        parameterization=_parameterization(asked, variant.experiment),
        layout=asked.layout,
        files=tuple(
            ImportedFileText(place, digest, holds)
            for place, digest, holds in zip(asked.places, seen.digests, seen.holds, strict=True)
        ),
        space=asked.space,
        why="as it was said" if asked.stated else WHY[asked.layout, asked.space],
        mean=mean,
        std=std,
        by=f"what that code takes for {visible(variant.data.title)}",
        experiment=(asked.experiment or 0) if asked.layout == "dc" else None,
        experiments=seen.experiments,
        learning_rate=asked.learning_rate,
        other=_others(variant.experiment, seen),
    )


def found_text(asked: Asked, seen: Inspected) -> str:
    """Return what was found, for a terminal."""
    return "\n".join(_words(asked, seen))


def _words(asked: Asked, seen: Inspected) -> list[str]:
    count, channels, height, width = seen.shape
    more = f" and {len(asked.places) - 1} more" if len(asked.places) > 1 else ""
    which = ""
    if seen.experiments is not None:
        which = f", experiment {asked.experiment or 0} of {seen.experiments}"
    return [
        f"files   {visible(asked.places[0])}{more}{which}",
        f"images  {count} of {channels} x {height} x {width}, {seen.dtype}",
        f"values  [{seen.low:.4g}, {seen.high:.4g}], "
        f"mean {seen.mean:.3g}, deviation {seen.std:.3g}, "
        f"{100 * seen.near:.0f} % near [0, 1]: {asked.space}",
        f"labels  {_labels(seen)}",
    ]


def _labels(seen: Inspected) -> str:
    told = seen.labels
    if told is None:
        return "in no file: images are taken in the order of the classes"
    if told["kind"] != "hard":
        kind = "probabilities" if told["kind"] == "expert" else "logits"
        return f"soft, {kind} over {told['classes']} classes"
    order = "in order" if told["ordered"] else "not in order: images are sorted by them"
    return f"hard, {told['classes']} classes from {told['low']} to {told['high']}, {order}"


def _require_labels(base: Plan, seen: Inspected) -> None:
    """Raise `DdspecError` (invalid) where hard labels are not those of all classes."""
    told, classes = seen.labels, len(base.data.classes)
    if told is None or told["kind"] != "hard":
        return
    if (told["low"], told["high"], told["classes"]) != (0, classes - 1, classes):
        raise DdspecError(
            f"labels of {told['classes']} classes lie from {told['low']} to {told['high']}: those "
            f"of the {classes} classes of {base.data.title} are 0 to {classes - 1}",
            exit=Exit.INVALID,
        )


def _images_per_class(base: Plan, seen: Inspected) -> int:
    classes = len(base.data.classes)
    if not classes:
        raise DdspecError(
            "the classes of the dataset are not known before it is locked",
            exit=Exit.INVALID,
            hint="`ddspec lock SPEC --data DIR` first",
        )
    count, _, height, _ = seen.shape
    shape = (seen.shape[1], height)
    if shape != (base.data.channels, base.data.size):
        raise DdspecError(
            f"images are {shape[0]} x {height} x {height}, and those of {base.data.title} are "
            f"{base.data.channels} x {base.data.size} x {base.data.size}",
            exit=Exit.INVALID,
        )
    if count % classes:
        raise DdspecError(
            f"{count} images are no whole number for each of the {classes} classes of "
            f"{base.data.title}",
            exit=Exit.INVALID,
            hint="name all files of the set, or another spec with `--for`",
        )
    return count // classes


def _parameterization(asked: Asked, experiment: Experiment) -> dict[str, Json]:
    """Return how the set is kept and decoded: in the space of its files, to the bit."""
    shape = experiment.parameterization
    factor = _factor(asked, shape.factor if isinstance(shape, MultiFormationSpec) else None)
    kind: dict[str, Json] = {"kind": "pixels"}
    if factor > 1:
        kind = {"kind": "multi_formation", "factor": factor}
    whitened = shape.zca_eps is not None and asked.space != "zca"
    return {**kind, "space": asked.space, **({"zca_eps": None} if whitened else {})}


def _factor(asked: Asked, judged: int | None) -> int:
    """Return into how many patches along a side images are cut; `judged` is that of the spec.

    IDC cuts them unless it is told not to, and so does IDM by `--aug`; DC, DSA, DM and MTT never.
    """
    if asked.layout == "mtt" and (asked.factor or 1) > 1:
        raise DdspecError(
            "images of MTT are whole, and not cut into patches",
            exit=Exit.USAGE,
            hint="leave `--factor` out",
        )
    if asked.factor is not None:
        return asked.factor
    if asked.layout == "idc" and judged is not None:
        return judged
    if asked.layout == "idc" or (asked.layout == "dc" and judged is not None):
        raise DdspecError(
            f"files of {asked.layout.upper()} do not say into how many patches an image is cut",
            exit=Exit.USAGE,
            hint=FACTORS[asked.layout],
        )
    return 1


def _others(experiment: Experiment, seen: Inspected) -> dict[str, Json]:
    """Return settings that an imported set needs otherwise than the spec has them."""
    evaluate, found = experiment.evaluate, {}
    if evaluate.baselines.init:
        found["evaluate.baselines.init"] = 0
    if evaluate.snapshots:
        found["evaluate.snapshots"] = False
    if experiment.resources.shards > 1:
        found["resources.shards"] = 1
    kind = "hard" if seen.labels is None else str(seen.labels["kind"])
    own = "hard" if experiment.labels is None else experiment.labels.kind
    others: dict[str, Json] = dict(found)
    if kind != own and not isinstance(experiment.labels, SoftLabelsSpec):
        others["labels.kind"] = kind
        if kind == "learned":
            others["labels.learning_rate"] = 1.0
    return others
