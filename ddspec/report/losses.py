"""Losses over a distillation and over the training of the networks that judge, as figures."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from ddspec.canon import Json
from ddspec.plan.ir import Plan
from ddspec.report.figures import Figure, line
from ddspec.report.subject import Shelf
from ddspec.run.curves import Curve
from ddspec.run.scores import SETS, judged
from ddspec.wire.work import DistillWork

STEEP = 30.0
"""Largest over smallest value from which an axis is logarithmic."""


class Point(NamedTuple):
    """A value, or a mean between the least and the largest of what it is of."""

    x: float
    y: float
    low: float
    high: float


def distillation_figures(plan: Plan, shelf: Shelf, name: str) -> Iterator[Figure]:
    """Yield the loss of the images over outer loops, and the rate that is learned with them."""
    records = {shard: rows for shard, rows in _records(plan, shelf).items() if rows}
    for at, label in (("loss", "matching loss"), ("learning_rate", "learning rate")):
        series = {shard: _points(rows, at) for shard, rows in records.items()}
        known = {shard: points for shard, points in series.items() if points}
        if known:
            count = max(len(rows) for rows in records.values())
            words = f"{label.capitalize()} of the images over {count:,} outer loops"
            words += "" if len(known) == 1 else f" of {len(known)} class shards"
            yield _figure(f"{name}-{at.replace('_', '-')}", words, "outer loop", label, known)


def training_figure(plan: Plan, shelf: Shelf, name: str) -> Figure | None:
    """Return the training loss of the first network that judges, one line a set; or None."""
    found: dict[str, list[Sequence[Point]]] = {}
    network = ""
    for one in judged(plan):
        network = network or one.network
        points = _training(shelf.figures(one.stage.key))
        if points and one.network == network and one.set in SETS:
            found.setdefault(one.set, []).append(points)
    if not found:
        return None
    series = {kind: _over_repeats(members) for kind, members in found.items()}
    counts = ", ".join(f"{kind} {len(members)}" for kind, members in found.items())
    words = (
        f"Training loss of {network} on each set: mean, with least and largest as a band, over "
        f"networks ({counts})"
    )
    return _figure(f"{name}-training", words, "step", "training loss", series)


def accuracy_figures(curves: Sequence[Curve], name: str) -> Iterator[Figure]:
    """Yield the accuracy of the set over outer loops, one figure a protocol."""
    places = dict.fromkeys(curve.place[1:] for curve in curves)
    for number, (protocol, on) in enumerate(places):
        chosen = [curve for curve in curves if curve.place[1:] == (protocol, on)]
        repeats = max(len(point.score.accuracies) for one in chosen for point in one.points)
        words = (
            f"Accuracy on the {on} split over outer loops, by protocol {protocol}; band: one "
            f"standard deviation to either side over at most {repeats} networks"
        )
        yield line(
            f"{name}-loops-{number}",
            words,
            x="outer loops",
            y={"label": "accuracy", "percent": True},
            series=[_accuracies(curve) for curve in chosen],
        )


def _accuracies(curve: Curve) -> dict[str, Json]:
    means = [point.score.mean for point in curve.points]
    spreads = [point.score.std or 0.0 for point in curve.points]
    return {
        "name": curve.place[0],
        "x": [point.loops for point in curve.points],
        "y": list(means),
        "low": [mean - std for mean, std in zip(means, spreads, strict=True)],
        "high": [mean + std for mean, std in zip(means, spreads, strict=True)],
        "points": True,
    }


def _figure(name: str, words: str, x: str, y: str, series: Mapping[str, Sequence[Point]]) -> Figure:
    values = [point.low for points in series.values() for point in points]
    highest = max(point.high for points in series.values() for point in points)
    is_steep = min(values) > 0 and highest / min(values) > STEEP
    return line(
        name,
        f"{words}.",
        x=x,
        y={"label": y, "log": is_steep},
        series=[_series(kind, points) for kind, points in series.items()],
    )


def _series(name: str, points: Sequence[Point]) -> dict[str, Json]:
    told: dict[str, Json] = {
        "name": name,
        "x": [point.x for point in points],
        "y": [point.y for point in points],
        "points": False,
    }
    if all(point.low == point.high for point in points):
        return told
    low: list[Json] = [point.low for point in points]
    high: list[Json] = [point.high for point in points]
    return told | {"low": low, "high": high}


def _records(plan: Plan, shelf: Shelf) -> dict[str, list[Mapping[str, JsonValue]]]:
    """Return the rows of all segments of a distillation, one list a shard."""
    found: dict[str, list[Mapping[str, JsonValue]]] = {}
    for stage in plan:
        if isinstance(stage.work, DistillWork):
            classes = stage.work.classes
            shard = "" if classes is None else f"classes {classes.start} to {classes.stop - 1}"
            rows = _rows(shelf.read(stage.key, "metrics.jsonl"))
            found.setdefault(shard, []).extend(rows)
    return found


def _rows(content: bytes | None) -> Iterator[Mapping[str, JsonValue]]:
    for text in (content or b"").splitlines():
        try:
            row = json.loads(text)
        except ValueError:
            return  # what follows was not written by us either
        if isinstance(row, dict):
            yield row


def _points(rows: Sequence[Mapping[str, JsonValue]], name: str) -> list[Point]:
    found = []
    for row in rows:
        x, y = _number(row.get("outer_loop")), _number(row.get(name))
        if x is not None and y is not None:
            found.append(Point(x, y, y, y))
    return sorted(found)


def _training(figures: Mapping[str, JsonValue]) -> list[Point]:
    pairs = figures.get("training_loss")
    found = []
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list) and len(pair) == 2:
            x, y = _number(pair[0]), _number(pair[1])
            if x is not None and y is not None:
                found.append(Point(x, y, y, y))
    return found


def _over_repeats(members: Sequence[Sequence[Point]]) -> list[Point]:
    """Return the mean over networks at each step that they all tell of."""
    told = [{point.x: point.y for point in points} for points in members]
    common = sorted(set.intersection(*(set(one) for one in told)))
    columns = ((x, [one[x] for one in told]) for x in common)
    return [Point(x, statistics.fmean(values), min(values), max(values)) for x, values in columns]


def _number(value: JsonValue) -> float | None:
    """Return a finite number; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON has integers of any size
        return None
    return number if math.isfinite(number) else None
