"""A figure as a question for whoever draws it, and its numbers as JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.run.plot_axis import HOURS, LABELS
from ddspec.run.plot_choice import Result
from ddspec.run.plot_points import Line, Plotted, Point

WIDE = 20.0
"""Ratio of the greatest to the least value from which an axis is logarithmic by itself."""
MOST_TICKS = 8
MOST_LOOKS = 8
"""Kinds of points that are told apart."""
UNITS = ((1 / 30, "seconds", 3600.0), (2.0, "minutes", 60.0))
"""Hours up to which an axis is in smaller units."""


@dataclass(frozen=True, slots=True)
class Words:
    """What stands around a figure."""

    title: str
    note: str
    """How accuracies were measured."""


@dataclass(frozen=True, slots=True)
class _Scale:
    label: str
    factor: float
    log: bool
    ticks: tuple[float, ...] | None


def figure(shown: Plotted, words: Words, *, log: bool | None = None) -> dict[str, Json]:
    """Return the figure to ask for: lines, points with their names, or bars along words."""
    scale = _scale(shown, log)
    common: dict[str, Json] = {
        "title": words.title,
        "note": words.note,
        "y": {"label": "Accuracy", "percent": True},
        "references": [{"name": one.name, "y": one.points[0].mean} for one in shown.references],
    }
    if any(isinstance(point.at, str) for line in shown.lines for point in line.points):
        return common | _bars(shown)
    ticks: Json = None
    if scale.ticks is not None:
        ticks = [{"at": at, "label": f"{at:g}"} for at in scale.ticks]
    axis: Json = {"label": scale.label, "log": scale.log, "ticks": ticks}
    if all(len(line.points) == 1 for line in shown.lines):
        return common | {"kind": "scatter", "x": axis, "series": _clouds(shown, scale)}
    lines: list[Json] = [
        {"name": line.name, **_columns(line.points, scale)} for line in shown.lines
    ]
    return common | {"kind": "line", "x": axis, "series": lines}


def words_of(results: Sequence[Result], shown: Plotted, title: str | None) -> Words:
    """Return title and note: network, protocol, data, and what intervals are."""
    first = results[0]
    titles = {one.evidence.title for one in results}
    own = titles.pop() if len(titles) == 1 and title is None else title or ""
    parts = [first.evidence.dataset, first.score.network, first.score.judged, spread_words(shown)]
    return Words(own, " · ".join(part for part in parts if part))


def spread_words(shown: Plotted) -> str:
    """Return what the intervals of a figure are, and of how many values each."""
    points = [point for line in shown.lines for point in line.points]
    if all(point.std is None for point in points):
        return "single runs, no intervals"
    if any(point.replicates > 1 for point in points):
        return f"± std over {_range([point.replicates for point in points])} distillation seeds"
    return f"± std over {_range([point.repeats for point in points])} repeats"


def plain(shown: Plotted, words: Words, results: Sequence[Result]) -> dict[str, Json]:
    """Return the numbers behind a figure, as they are printed with `--json`."""
    first = results[0]
    return {
        "format": "ddspec.plot/1",
        "title": words.title,
        "note": words.note,
        "x": shown.axis,
        "network": first.score.network,
        "protocol": first.score.protocol,
        "on": first.score.on,
        "labels": first.score.labels,
        "series": [line.plain() for line in shown.lines],
        "references": [line.plain() for line in shown.references],
        "left_out": [{"of": one.of, "why": one.why} for one in shown.left_out],
    }


def units_of(shown: Plotted) -> tuple[str, ...]:
    """Return the machines whose hours a figure shows."""
    return tuple(dict.fromkeys(p.unit for line in shown.lines for p in line.points if p.unit))


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _scale(shown: Plotted, log: bool | None) -> _Scale:
    places = [point.at for line in shown.lines for point in line.points]
    numbers = sorted({float(at) for at in places if isinstance(at, int | float)})
    positive = [at for at in numbers if at > 0]
    wide = bool(positive) and numbers[0] >= 0 and numbers[-1] >= WIDE * positive[0]
    label, factor = LABELS.get(shown.axis, shown.axis), 1.0
    if shown.axis == HOURS:
        label, factor = _hours(shown, numbers)
    few = shown.axis != HOURS and len(numbers) <= MOST_TICKS
    whole = few and all(at.is_integer() or shown.axis not in LABELS for at in numbers)
    short = whole and all(at < 1e5 for at in numbers)
    return _Scale(label, factor, wide if log is None else log, tuple(numbers) if short else None)


def _hours(shown: Plotted, numbers: Sequence[float]) -> tuple[str, float]:
    units = units_of(shown)
    told = units[0] if len(units) == 1 else f"hours ({'; '.join(units)})"
    for most, name, factor in UNITS:
        if numbers and numbers[-1] < most:
            return f"{told.replace('hours', name, 1)}, all work behind the set", factor
    return f"{told}, all work behind the set", 1.0


def _columns(points: Sequence[Point], scale: _Scale) -> dict[str, Json]:
    found: dict[str, Json] = {
        "x": [float(point.at) * scale.factor for point in points],
        "y": [point.mean for point in points],
    }
    if any(point.std is not None for point in points):
        found["low"] = [point.mean - (point.std or 0.0) for point in points]
        found["high"] = [point.mean + (point.std or 0.0) for point in points]
    return found


def _clouds(shown: Plotted, scale: _Scale) -> list[Json]:
    """Return single points, those alike whose names begin alike, as a method's speeds do."""
    groups: dict[str, list[Line]] = {}
    for line in shown.lines:
        groups.setdefault(line.name.partition(" ")[0], []).append(line)
    if len(groups) > MOST_LOOKS:
        groups = {"": list(shown.lines)}
    return [_cloud(lines, scale) for lines in groups.values()]


def _cloud(lines: Sequence[Line], scale: _Scale) -> Json:
    points = [line.points[0] for line in lines]
    return {"name": "", **_columns(points, scale), "labels": [line.name for line in lines]}


def _bars(shown: Plotted) -> dict[str, Json]:
    every = (str(point.at) for line in shown.lines for point in line.points)
    groups = list(dict.fromkeys(every))
    return {
        "kind": "bars",
        "x": {"label": LABELS.get(shown.axis, shown.axis)},
        "groups": list(groups),
        "series": [_cluster(line, groups) for line in shown.lines],
    }


def _cluster(line: Line, groups: Sequence[str]) -> Json:
    there = {str(point.at): point for point in line.points}
    points = [there.get(name) for name in groups]
    return {
        "name": line.name,
        "values": [None if one is None else one.mean for one in points],
        "low": [None if one is None else max(0.0, one.mean - (one.std or 0.0)) for one in points],
        "high": [None if one is None else one.mean + (one.std or 0.0) for one in points],
    }
