"""Values over a quantity, as lines."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ddspec_analysis.draw_axes import draw_references, named, set_axes
from ddspec_analysis.draw_canvas import Handle, canvas, legend
from ddspec_analysis.draw_looks import Look, look
from ddspec_analysis.draw_model import Line, Series
from ddspec_analysis.draw_thin import thin

HEIGHT = 3.2


def draw(asked: Line) -> Figure:
    """Draw each series as a line with a mark at each point, or without, and its intervals."""
    names = named(asked.series, asked.references)
    figure, axes = canvas(asked, asked.height or HEIGHT, names)
    handles = [_series(axes, one, look(at), asked) for at, one in enumerate(asked.series)]
    handles += draw_references(axes, asked.references)
    set_axes(axes, asked.x, asked.y, asked.width, [at for one in asked.series for at in one.x])
    legend(figure, asked.width, [handle for handle in handles if handle[1]])
    return figure


def _series(axes: Axes, series: Series, looks: Look, asked: Line) -> Handle:
    x, y = np.array(series.x, dtype=np.float64), np.array(series.y, dtype=np.float64)
    low, high = (y if one is None else np.array(one) for one in (series.low, series.high))
    kept = thin(x, [y, low, high], log=asked.x.log)
    x, y, low, high = (column[kept] for column in (x, y, low, high))
    style = looks.line() | ({} if series.points else {"marker": ""})
    axes.plot(x, y, **style)
    if series.low is not None and series.points:
        axes.errorbar(x, y, np.clip([y - low, high - y], 0, None), **looks.whiskers())
    elif series.low is not None:
        axes.fill_between(x, low, high, color=looks.colour, alpha=0.2, linewidth=0)
    return Line2D([], [], **style), series.name
