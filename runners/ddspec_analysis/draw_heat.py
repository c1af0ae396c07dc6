"""A matrix as colours."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from ddspec_analysis.draw_axes import number
from ddspec_analysis.draw_canvas import canvas
from ddspec_analysis.draw_model import Heat
from ddspec_analysis.draw_words import columns_of, longest, thinned, wrapped

COLOURS = "cividis"
"""Even steps of lightness, for colour-blind readers and on grey printers."""
MOST_NUMBERS = 12
"""Rows and columns up to which each cell has its number."""
NAME_CHARS, MOST_ROWS, MOST_COLUMNS = 18, 50, 40


def draw(asked: Heat) -> Figure:
    """Draw a matrix, with numbers in its cells where they can be read, and its scale."""
    rows, columns = len(asked.rows), len(asked.columns)
    height = asked.height or min(max(1.2, asked.width * 0.78 * rows / columns), 2 * asked.width)
    figure, axes = canvas(asked, height, [])
    values = np.array([[np.nan if one is None else one for one in row] for row in asked.values])
    scale = _scale(asked, values)
    image = axes.imshow(
        np.ma.masked_invalid(values), cmap=colormaps[COLOURS], norm=scale, aspect="auto"
    )
    _name(axes, asked)
    if max(rows, columns) <= MOST_NUMBERS:
        _number(axes, asked, values, image.cmap, scale)
    words = FuncFormatter(lambda value, _: number(value, percent=asked.value.percent))
    bar = figure.colorbar(image, ax=axes, format=words, pad=0.02, fraction=0.06)
    bar.set_label(wrapped(asked.value.label, 36, 2))
    bar.outline.set_visible(False)
    return figure


def _scale(asked: Heat, values: NDArray[np.float64]) -> Normalize:
    if asked.limits is not None:
        return Normalize(asked.limits[0], asked.limits[1])
    known = values[np.isfinite(values)]
    return Normalize(known.min(), known.max()) if known.size else Normalize(0.0, 1.0)


def _name(axes: Axes, asked: Heat) -> None:
    axes.grid(visible=False)
    axes.tick_params(length=0)
    rows = thinned([wrapped(name, NAME_CHARS, 1) for name in asked.rows], MOST_ROWS)
    axes.set_yticks([at for at, _ in rows], [text for _, text in rows])
    columns = thinned([wrapped(name, NAME_CHARS, 1) for name in asked.columns], MOST_COLUMNS)
    room = columns_of(asked.width * 0.6) // max(1, len(columns))
    upright = longest([text for _, text in columns]) > room
    axes.set_xticks([at for at, _ in columns], [text for _, text in columns])
    axes.tick_params(axis="x", rotation=90 if upright else 0)
    small = max(5.0, 9.0 - 0.1 * max(len(rows), len(columns)))
    axes.tick_params(labelsize=small)
    axes.set_xlabel(wrapped(asked.x.label, columns_of(asked.width * 0.7), 2))
    axes.set_ylabel(wrapped(asked.y.label, 30, 2))
    for spine in axes.spines.values():
        spine.set_visible(False)


def _number(
    axes: Axes, asked: Heat, values: NDArray[np.float64], colours: Colormap, scale: Normalize
) -> None:
    size = min(9.0, 72 * asked.width * 0.7 / len(asked.columns) / 3.2)
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        red, green, blue, _ = colours(scale(value))
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        told = f"{value * 100:.3g}" if asked.value.percent else f"{value:.3g}"
        ink = "black" if light else "white"
        axes.text(column, row, told, ha="center", va="center", fontsize=size, color=ink)
