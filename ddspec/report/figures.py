"""Figures of a page, asked for all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.run.analysis import ask

WIDTH = 4.6
"""Inches: on a telephone a figure is a little smaller, and its words can still be read."""
HEIGHT = 2.7


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, as it is asked for, and the words below it."""

    name: str
    """Unlike that of any other figure of the page."""
    caption: str
    """What is on the axes, in which units, of how many."""
    question: Mapping[str, Json]


def line(
    name: str,
    caption: str,
    *,
    x: str,
    y: Mapping[str, Json],
    series: Sequence[Mapping[str, Json]],
) -> Figure:
    """Return a figure of lines over one axis."""
    asked: dict[str, Json] = {
        "kind": "line",
        "x": {"label": x},
        "y": dict(y),
        "series": [dict(one) for one in series],
        "width": WIDTH,
        "height": HEIGHT,
    }
    return Figure(name, caption, asked)


def drawn(figures: Sequence[Figure]) -> Mapping[str, str]:
    """Return the SVG of each figure by its name; one process draws them all.

    Raises `DdspecError` (exit 6) where the libraries that draw are not installed.
    """
    if not figures:
        return {}
    asked: Json = {"format": "svg", "figures": [dict(one.question) for one in figures]}
    answer = ask("draw", asked)
    found = answer.get("figures") if isinstance(answer, dict) else None
    if not isinstance(found, list) or len(found) != len(figures):
        raise DdspecError("`draw` answered with other figures than asked for", exit=Exit.FAILED)
    return {one.name: str(svg) for one, svg in zip(figures, found, strict=True)}
