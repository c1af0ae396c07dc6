"""What lies along a figure: a budget, the work done, or any setting. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.run.costs import CPU
from ddspec.run.evidence import Evidence
from ddspec.visible import visible

Place: TypeAlias = float | str
"""Where a point stands: a number, or a word."""

BUDGET, LOOPS, STEPS, HOURS, FLOPS = (
    "images_per_class",
    "outer_loops",
    "steps",
    "gpu_hours",
    "flops",
)
PRESET = "preset"
"""Where a matrix sets it."""
WORK = (LOOPS, STEPS, HOURS, FLOPS)
"""What grows while a set is learned, so that its snapshots are points of one line."""
LABELS: Mapping[str, str] = {
    BUDGET: "Images per class",
    LOOPS: "Outer loops",
    STEPS: "Steps on the images",
    HOURS: "Hours of work behind the set",
    FLOPS: "FLOPs of the work behind the set",
}
MANY = 60
"""Characters of a value that is no word."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A place along the axis, or why there is none."""

    at: Place | None
    problem: str = ""
    unit: str = ""
    """Of hours: of which machines they are."""


def measure(evidence: Evidence, axis: str, set: str, loops: int | None) -> Measure:
    """Return where a set of an experiment stands; after so many outer loops, if it is a snapshot.

    `axis` is one of `LABELS`, or the dotted path of a setting.
    """
    if axis == BUDGET:
        count = evidence.images_per_class
        return Measure(count, "its file of results does not tell the budget")
    if axis in (HOURS, FLOPS):
        return _cost(evidence, axis, set)
    if axis in (LOOPS, STEPS):
        return _loops(evidence, axis, loops)
    return _setting(evidence, axis)


def settings_without(evidence: Evidence, axis: str) -> Json:
    """Return what sets an experiment apart from those with another value along the axis."""
    if evidence.plan is None:
        return [evidence.document, evidence.of]
    variant = evidence.plan.variants[0]
    ignored = {axis, f"loops.{LOOPS}"} if axis in WORK else {axis}
    if axis == LOOPS:
        ignored.add("loops.snapshots")
    if set(evidence.settings) - {"seed"}:
        chosen = {"document": evidence.document, **evidence.settings}
        return dict(_without(chosen, {*ignored, "seed"}))
    left = {"name", "title", "seed", "expect", "resources"}
    asked: Json = variant.experiment.model_dump(mode="json", exclude_none=True, exclude=left)
    return dict(_without(asked, ignored)) if isinstance(asked, dict) else asked


def require_known(axis: str, evidence: Sequence[Evidence]) -> None:
    """Raise `DdspecError` (usage) for an axis that no experiment has, with those that come near."""
    plans = [one.plan.variants[0].experiment for one in evidence if one.plan is not None]
    if axis in LABELS or not plans:
        return
    known = {path for one in plans for path, _ in _leaves(_asked(one.model_dump()))}
    known |= {path for one in evidence for path in one.settings}
    if any(path == axis or path.startswith(f"{axis}.") for path in known):
        return
    near = get_close_matches(axis, [*LABELS, *sorted(known)], n=3, cutoff=0.5)
    raise DdspecError(
        f"no experiment here has a setting `{visible(axis)}`",
        exit=Exit.USAGE,
        hint=f"{', '.join(f'`{one}`' for one in near or LABELS)}",
    )


def _asked(dump: Mapping[str, object]) -> Json:
    told: Json = json.loads(json.dumps(dump, default=str))
    return told


def _cost(evidence: Evidence, axis: str, set: str) -> Measure:
    cost = evidence.costs.get(set, evidence.cost)
    if axis == FLOPS:
        return Measure(cost.flops, "its operations are not known")
    told = cost.unit if cost.device in ("", CPU) else f"{cost.unit} on {cost.device}"
    return Measure(cost.hours, "the working time of a stage behind it is not known", told)


def _loops(evidence: Evidence, axis: str, loops: int | None) -> Measure:
    if evidence.plan is None:
        return Measure(None, "its file of results does not tell the loops")
    asked = evidence.plan.variants[0].experiment.loops
    count = asked.outer_loops if loops is None else loops
    return Measure(count if axis == LOOPS else count * asked.inner_steps)


def _setting(evidence: Evidence, axis: str) -> Measure:
    if evidence.plan is None:
        return Measure(None, "its file of results does not tell the settings")
    value: object = evidence.settings.get(axis)
    if value is None:
        value = evidence.plan.variants[0].experiment.model_dump(mode="json")
        for name in axis.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return Measure(None, f"it has no `{axis}`")
    if isinstance(value, bool):
        return Measure("yes" if value else "no")
    if isinstance(value, int | float | str):
        return Measure(value)
    return Measure(json.dumps(value, sort_keys=True)[:MANY])


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(below, f"{path}.{name}" if path else name)
    elif value is not None:
        yield path, value


def _without(value: Mapping[str, Json], left: Iterable[str]) -> Iterator[tuple[str, Json]]:
    """Yield settings by name but for those of some paths, however deep they are written."""
    for name, below in value.items():
        if name in left:
            continue
        inside = {path[len(name) + 1 :] for path in left if path.startswith(f"{name}.")}
        yield name, dict(_without(below, inside)) if isinstance(below, dict) else below
