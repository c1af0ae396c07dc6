"""Accuracy of the distilled set over outer loops, where its snapshots are judged. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Stage
from ddspec.run.scores import SETS, Score, gathered, judged


@dataclass(frozen=True, slots=True)
class Point:
    """The accuracies of the set after some outer loops."""

    loops: int
    score: Score

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {"outer_loops": self.loops, **self.score.plain()}


@dataclass(frozen=True, slots=True)
class Curve:
    """The points of one network, protocol and split, fewest loops first."""

    place: tuple[str, str, str]
    points: tuple[Point, ...]


def curves(
    stages: Iterable[Stage], metrics: Mapping[Digest, Mapping[str, JsonValue]]
) -> tuple[Curve, ...]:
    """Gather the accuracies of snapshots, and of the last set beside them; without any, nothing.

    `metrics` holds the figures of finished stages by key.
    """
    every = tuple(stages)
    loops = {one.set: one.loops for one in judged(every) if one.loops is not None}
    if set(loops) <= {SETS[0]}:
        return ()
    found: dict[tuple[str, str, str], list[Point]] = {}
    for score in gathered(every, metrics):
        if score.set in loops:
            point = Point(loops[score.set], score)
            found.setdefault(score.place, []).append(point)
    return tuple(
        Curve(place, tuple(sorted(points, key=lambda point: point.loops)))
        for place, points in found.items()
    )
