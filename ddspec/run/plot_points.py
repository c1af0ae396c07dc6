"""From results to the points and lines of a figure. Pure."""

from __future__ import annotations

import re
import statistics
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ddspec.canon import Json, canonical
from ddspec.run.evidence import Evidence
from ddspec.run.plot_axis import BUDGET, PRESET, WORK, Measure, Place, measure, settings_without
from ddspec.run.plot_choice import Result
from ddspec.run.scores import SETS, Score

_SEED = re.compile(r"-?seed-\d+$")

DISTILLED, FULL = SETS[0], "full"
NAMES: Mapping[str, str] = {
    "random": "Random images",
    "random_hard": "Random images, hard labels",
    "full": "Full data",
    "herding": "Herding",
    "k_center": "k-Center",
    "forgetting": "Forgetting",
}
"""Of sets that are the same whatever the method."""


@dataclass(frozen=True, slots=True)
class Point:
    """Accuracy at one place, as fractions, over repeats or over replicates."""

    at: Place
    mean: float
    std: float | None
    """Sample standard deviation: over replicates where there are several, otherwise over repeats;
    None of a single one."""
    repeats: int
    """Networks trained on each set, the fewest of any."""
    replicates: int
    of: tuple[str, ...]
    """The experiments that it is of."""
    row: str
    """What a table calls them."""
    unit: str = ""

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "x": self.at,
            "accuracy_mean": self.mean,
            "accuracy_std": self.std,
            "repeats": self.repeats,
            "replicates": self.replicates,
            "of": list(self.of),
        }


@dataclass(frozen=True, slots=True)
class Line:
    """Points that belong together, by their place."""

    name: str
    set: str
    points: tuple[Point, ...]

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {"name": self.name, "set": self.set, "points": [one.plain() for one in self.points]}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A result that has no place in the figure."""

    of: str
    why: str


@dataclass(frozen=True, slots=True)
class Plotted:
    """What a figure shows, as numbers."""

    axis: str
    lines: tuple[Line, ...]
    references: tuple[Line, ...] = ()
    """Full data: a value without a place of its own."""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sample:
    result: Result
    measure: Measure
    loops: int | None


_Points: TypeAlias = dict[Hashable, list[_Sample]]
"""The results of a line, by the point that they are of."""


def plotted(results: Sequence[Result], axis: str) -> Plotted:
    """Return the lines of a figure along an axis, and what is left out of it.

    Along work, the snapshots of a set are its line; along a budget, methods are, by the name that
    a table gives them; along a setting, experiments that differ in nothing else. Replicates,
    which differ in their seed alone, are one point. What is the same all along is a reference.
    """
    samples = [one for result in results for one in _samples(result, axis)]
    along = any(one.loops is not None for one in samples)
    placed: dict[Hashable, _Points] = {}
    for one in samples:
        if one.measure.at is not None:
            points = placed.setdefault(_line_of(one.result, axis, along=along), {})
            points.setdefault(_point_of(one, axis), []).append(one)
    every = tuple(placed.values())
    fixed = [_is_fixed(points, axis) for points in every]
    lines = [
        Line(name, _set_of(points), _of_line(points, fixed=still))
        for name, points, still in zip(_names(every), every, fixed, strict=True)
    ]
    why = [
        LeftOut(s.result.evidence.of, s.measure.problem) for s in samples if s.measure.at is None
    ]
    return Plotted(
        axis,
        tuple(line for line, still in zip(lines, fixed, strict=True) if not still),
        tuple(line for line, still in zip(lines, fixed, strict=True) if still),
        tuple(dict.fromkeys(why)),
    )


def _is_fixed(points: _Points, axis: str) -> bool:
    """Return whether a set that no method made is the same evaluations wherever it stands."""
    if _set_of(points) == DISTILLED:
        return False
    runs = {frozenset(one.result.score.keys for one in members) for members in points.values()}
    return axis in WORK or (len(runs) == 1 and _set_of(points) in NAMES)


def _of_line(points: _Points, *, fixed: bool) -> tuple[Point, ...]:
    if fixed:
        return (_point([one for members in points.values() for one in members]),)
    return _sorted([_point(members) for members in points.values()])


def _set_of(points: _Points) -> str:
    name = next(iter(points.values()))[0].result.score.set
    return DISTILLED if name.startswith("to-") else name


def _samples(result: Result, axis: str) -> Iterator[_Sample]:
    evidence, score = result.evidence, result.score
    points = [
        point
        for curve in evidence.curves
        if axis in WORK and score.set == DISTILLED and curve.place == score.place
        for point in curve.points
    ]
    if axis in WORK and score.set != DISTILLED:
        yield _Sample(result, Measure(""), None)
    elif not points:
        yield _Sample(result, measure(evidence, axis, score.set, None), None)
    for point in points:
        at = measure(evidence, axis, point.score.set, point.loops)
        yield _Sample(Result(evidence, point.score), at, point.loops)


def _line_of(result: Result, axis: str, *, along: bool) -> Hashable:
    """Return what the points of one line have in common."""
    evidence, name = result.evidence, result.score.set
    shown = DISTILLED if name.startswith("to-") else name
    if shown in NAMES:
        return (shown, evidence.dataset)
    if axis in WORK and shown != DISTILLED and result.score.keys:
        return (shown, result.score.keys)
    if axis in WORK and along:
        return (shown, evidence.method or (evidence.document, evidence.of))
    if axis == BUDGET:
        return (shown, evidence.row or evidence.of, evidence.dataset)
    if axis == PRESET:
        return (shown, evidence.document, _apart_from_preset(evidence))
    return (shown, canonical(settings_without(evidence, axis)))


def _apart_from_preset(evidence: Evidence) -> str:
    """Return what a variant's name says besides its preset: each preset sets much by itself."""
    preset = measure(evidence, PRESET, DISTILLED, None).at
    name = _SEED.sub("", evidence.variant)
    return " ".join(word for word in name.split("-") if word != preset)


def _point_of(sample: _Sample, axis: str) -> Hashable:
    """Return what the results of one point have in common: replicates do, and the same runs."""
    result = sample.result
    if result.score.set in NAMES:
        return sample.measure.at
    same = result.evidence.method or (result.evidence.document, result.evidence.of)
    return (same, sample.loops, None if axis in WORK else sample.measure.at)


def _point(members: Sequence[_Sample]) -> Point:
    alone = _distinct(members)
    scores = [one.result.score for one in alone]
    places = [one.measure.at for one in alone]
    numbers = [at for at in places if isinstance(at, int | float)]
    at: Place = statistics.fmean(numbers) if len(numbers) == len(places) else str(places[0])
    return Point(
        at=int(at) if isinstance(at, float) and at.is_integer() else at,
        mean=statistics.fmean(one.mean for one in scores),
        std=spread(scores),
        repeats=min(len(one.accuracies) for one in scores),
        replicates=len(scores),
        of=tuple(dict.fromkeys(one.result.evidence.of for one in members)),
        row=alone[0].result.evidence.row or alone[0].result.evidence.of,
        unit=", ".join(dict.fromkeys(one.measure.unit for one in alone if one.measure.unit)),
    )


def spread(scores: Sequence[Score]) -> float | None:
    """Return the standard deviation over replicates, or over the repeats of the only one."""
    if len(scores) == 1:
        return scores[0].std
    return statistics.stdev(one.mean for one in scores)


def _distinct(members: Sequence[_Sample]) -> list[_Sample]:
    """Leave out results of the very same evaluations, which variants of a matrix share."""
    found: dict[Hashable, _Sample] = {}
    for number, one in enumerate(members):
        keys = one.result.score.keys
        found.setdefault(keys or number, one)
    return list(found.values())


def _sorted(points: Sequence[Point]) -> tuple[Point, ...]:
    if all(isinstance(point.at, int | float) for point in points):
        return tuple(sorted(points, key=lambda point: float(point.at)))
    return tuple(points)


def _names(lines: Sequence[_Points]) -> list[str]:
    """Return a name for each line: the words that its rows share, else what they are of."""
    of = [[one.result.evidence for each in line.values() for one in each] for line in lines]
    short = [_named(_set_of(line), those) for line, those in zip(lines, of, strict=True)]
    return [
        name if short.count(name) == 1 else f"{name} ({those[0].of})"
        for name, those in zip(short, of, strict=True)
    ]


def _named(set: str, evidence: Sequence[Evidence]) -> str:
    if set in NAMES:
        return NAMES[set]
    rows = [(one.row or one.of).split() for one in evidence]
    words = [word for word in rows[0] if all(word in row for row in rows)]
    name = " ".join(words) or evidence[0].name
    return f"{name}, before learning" if set == "init" else name
