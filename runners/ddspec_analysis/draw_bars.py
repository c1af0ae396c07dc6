"""Bars side by side in groups, from zero."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ddspec_analysis.draw_axes import draw_references, named, set_axes
from ddspec_analysis.draw_canvas import Handle, canvas, legend
from ddspec_analysis.draw_looks import INK, look
from ddspec_analysis.draw_model import Bars, Clustered
from ddspec_analysis.draw_words import INCHES_PER_CHAR, longest, thinned, wrapped

HEIGHT = 3.2
ROOM = 0.8
"""Share of a group that its bars fill."""
NAME_CHARS, NAME_LINES, MOST_NAMES = 16, 2, 20


def draw(asked: Bars) -> Figure:
    """Draw a bar for each value, with its interval; numbers stand on few bars."""
    told = named(asked.series, asked.references)
    names = told if len(told) > 1 else []
    figure, axes = canvas(asked, asked.height or HEIGHT, names)
    handles = [_bars(axes, asked, at, one) for at, one in enumerate(asked.series)]
    handles += draw_references(axes, asked.references)
    set_axes(axes, asked.x, asked.y, asked.width)
    _name_groups(axes, asked)
    axes.grid(visible=False, axis="x")
    legend(figure, asked.width, [handle for handle in handles if handle[1] and names])
    return figure


def _bars(axes: Axes, asked: Bars, at: int, series: Clustered) -> Handle:
    style, width = look(at).area(), ROOM / len(asked.series)
    values = np.array([np.nan if one is None else one for one in series.values])
    x = np.arange(len(values)) + (at + 0.5) * width - ROOM / 2
    axes.bar(x, values, width * 0.94, **style)
    if series.low is not None and series.high is not None:
        ends = [_filled(column, values) for column in (series.low, series.high)]
        error = np.nan_to_num(np.clip([values - ends[0], ends[1] - values], 0, None))
        axes.errorbar(x, values, error, **look(at).whiskers() | {"ecolor": INK})
    return Patch(**style), series.name


def _filled(column: list[float | None], values: NDArray[np.float64]) -> NDArray[np.float64]:
    pairs = zip(column, values, strict=True)
    return np.array([value if one is None else one for one, value in pairs])


def _name_groups(axes: Axes, asked: Bars) -> None:
    told = [wrapped(name, NAME_CHARS, NAME_LINES) for name in asked.groups]
    across = longest(told) * INCHES_PER_CHAR * len(told) < asked.width * 0.8
    kept = thinned(told, MOST_NAMES)
    axes.set_xticks([at for at, _ in kept], [text for _, text in kept])
    for label in () if across else axes.get_xticklabels():
        label.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.5, len(asked.groups) - 0.5)
