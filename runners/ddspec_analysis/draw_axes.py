"""Axes: scales, marks and their words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis as Drawn
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from ddspec_analysis.draw_canvas import Handle
from ddspec_analysis.draw_looks import INK
from ddspec_analysis.draw_model import Axis, Clustered, Reference, Series
from ddspec_analysis.draw_words import columns_of, wrapped

TICK_CHARS, TICK_LINES = 14, 3
LABEL_CHARS = 30
"""Of an axis that stands upright; figures are high enough for as many."""
FEW_DECADES = 2.0
DASHES = ((1.0, 1.6), (7.0, 2.5), (1.0, 4.0), (7.0, 2.5, 1.0, 2.5))
"""Of values to compare with, which have the colour of the text."""
SMALL, LARGE = 1e-3, 1e5
"""Numbers outside are written with a power of ten."""


def set_axes(axes: Axes, x: Axis, y: Axis, width: float, positive: Sequence[float] = ()) -> None:
    """Label both axes; `positive` holds the values of `x`, whose least positive one ends a log."""
    axes.set_xlabel(wrapped(x.label, columns_of(width * 0.8), 2))
    axes.set_ylabel(wrapped(y.label, LABEL_CHARS, 2))
    _scale(axes, x, positive)
    if y.log:
        axes.set_yscale("symlog" if axes.dataLim.y0 <= 0 else "log")
    for axis, drawn in ((x, axes.xaxis), (y, axes.yaxis)):
        _mark(axis, drawn)
    if y.percent:
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(bottom, -0.005), min(top, 1.005))


def named(*groups: Sequence[Series | Clustered | Reference]) -> list[str]:
    """Return the names that a legend holds."""
    return [one.name for group in groups for one in group if one.name]


def number(value: float, *, percent: bool = False) -> str:
    """Return a number as it stands beside an axis."""
    if percent:
        return f"{round(value * 100, 6):g} %"
    if value != 0 and not SMALL <= abs(value) < LARGE:
        return _power(f"{value:.2e}")
    return f"{round(value, 9):g}"


def draw_references(axes: Axes, references: Sequence[Reference]) -> list[Handle]:
    """Draw values to compare with across the figure, and return their samples."""
    found: list[Handle] = []
    for at, one in enumerate(references):
        dash = (0, DASHES[at % len(DASHES)])
        axes.axhline(one.y, color=INK, linewidth=1.1, linestyle=dash, alpha=0.75)
        found.append((Line2D([], [], color=INK, linewidth=1.1, linestyle=dash), one.name))
    return found


def _power(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    digits = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    plain = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"10{digits}" if plain == "1" else f"{plain}·10{digits}"


def _scale(axes: Axes, x: Axis, values: Sequence[float]) -> None:
    if not x.log:
        return
    least = min((value for value in values if value > 0), default=1.0)
    if min(values, default=1.0) <= 0:
        axes.set_xscale("symlog", linthresh=least, linscale=0.5)
    else:
        axes.set_xscale("log")


def _mark(axis: Axis, drawn: Drawn) -> None:
    if axis.ticks is not None:
        drawn.set_ticks(
            [tick.at for tick in axis.ticks],
            [wrapped(tick.label, TICK_CHARS, TICK_LINES) for tick in axis.ticks],
        )
        drawn.set_minor_locator(NullLocator())
        return
    if axis.log and isinstance(drawn.get_major_locator(), LogLocator):
        low, high = drawn.get_view_interval()
        if math.log10(high / low) < FEW_DECADES:
            drawn.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        drawn.set_minor_formatter(NullFormatter())
    drawn.set_major_formatter(FuncFormatter(lambda value, _: number(value, percent=axis.percent)))
