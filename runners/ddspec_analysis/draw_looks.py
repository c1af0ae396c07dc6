"""How figures look, on white, on black and without colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INK = "#010203"
"""Stands for the colour of the text around a figure; no other colour of ours is this one."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#A87000", "#56729E", "#EE3377")
"""Apart for colour-blind readers, and each with a contrast of 3 or more on white and on #111827
(after Okabe and Ito, 2008; their light colours are left out, and a few put in)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h")
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (2, 1)),
)
HATCHES = ("", "///", "\\\\\\", "xxx", "---", "|||", "+++")


@dataclass(frozen=True, slots=True)
class Look:
    """What tells a series from the others."""

    colour: str
    marker: str
    dash: str | tuple[int, tuple[float, ...]]
    hatch: str

    def line(self) -> dict[str, Any]:
        """Return how its line and points are drawn."""
        return {"color": self.colour, "linestyle": self.dash, "marker": self.marker}

    def area(self) -> dict[str, Any]:
        """Return how its bars are drawn."""
        return {
            "facecolor": self.colour,
            "hatch": self.hatch,
            "edgecolor": INK,
            "linewidth": 0.6,
        }

    def whiskers(self) -> dict[str, Any]:
        """Return how intervals about its points are drawn."""
        return {"fmt": "none", "ecolor": self.colour, "elinewidth": 1.0, "capsize": 2.5}


def look(number: int) -> Look:
    """Return the look of a series; no two of the first 24 are the same without colours."""
    return Look(
        COLOURS[number % len(COLOURS)],
        MARKERS[number % len(MARKERS)],
        DASHES[number % len(DASHES)],
        HATCHES[number % len(HATCHES)],
    )


FONT_POINTS = 10.0

SETTINGS: Mapping[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": FONT_POINTS,
    "axes.titlesize": 11.0,
    "axes.labelsize": FONT_POINTS,
    "legend.fontsize": 9.0,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": INK,
    "grid.alpha": 0.14,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.edgecolor": "none",
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "svg.fonttype": "none",
    "image.interpolation": "nearest",
}
"""On top of the defaults of matplotlib, never of those of whoever draws."""
