"""Points by two quantities, with words beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from ddspec_analysis.draw_axes import draw_references, named, set_axes
from ddspec_analysis.draw_canvas import Handle, canvas, legend
from ddspec_analysis.draw_looks import look
from ddspec_analysis.draw_model import Scatter, Series
from ddspec_analysis.draw_words import wrapped

HEIGHT = 3.4
LABEL_CHARS, LABEL_LINES = 22, 2
MOST_PLACED = 60
"""Labels for which a free place is looked for; more cover one another anyway."""


@dataclass(frozen=True, slots=True)
class _Side:
    """Where a label stands beside its point: an offset in points, and how it is aligned."""

    offset: tuple[float, float]
    horizontal: Literal["left", "center", "right"]
    vertical: Literal["bottom", "center", "top"]


SIDES = (
    _Side((6, 0), "left", "center"),
    _Side((-6, 0), "right", "center"),
    _Side((0, 6), "center", "bottom"),
    _Side((0, -6), "center", "top"),
    _Side((6, 9), "left", "bottom"),
    _Side((-6, -9), "right", "top"),
)


def draw(asked: Scatter) -> Figure:
    """Draw points of each series, with their labels where they cover nothing if that can be."""
    names = named(asked.series, asked.references)
    figure, axes = canvas(asked, asked.height or HEIGHT, names)
    handles: list[Handle] = []
    labels: list[Annotation] = []
    for at, one in enumerate(asked.series):
        style = look(at).line() | {"linestyle": "none"}
        axes.plot(one.x, one.y, **style, markersize=6)
        if one.low is not None and one.high is not None:
            y = np.array(one.y)
            error = np.clip([y - one.low, one.high - y], 0, None)
            axes.errorbar(one.x, y, error, **look(at).whiskers())
        handles.append((Line2D([], [], **style), one.name))
        labels += [
            _label(axes, point, text)
            for *point, text in zip(one.x, one.y, one.labels or (), strict=False)
        ]
    handles += draw_references(axes, asked.references)
    axes.margins(0.09)
    set_axes(axes, asked.x, asked.y, asked.width, [at for one in asked.series for at in one.x])
    legend(figure, asked.width, [handle for handle in handles if handle[1]])
    _place(figure, axes, labels[:MOST_PLACED], asked)
    return figure


def _label(axes: Axes, point: Sequence[float], text: str) -> Annotation:
    told = wrapped(text, LABEL_CHARS, LABEL_LINES)
    return axes.annotate(
        told, (point[0], point[1]), (6, 0), textcoords="offset points", va="center", fontsize=8.5
    )


def _place(figure: Figure, axes: Axes, labels: Sequence[Annotation], asked: Scatter) -> None:
    """Move each label to the first side on which it covers neither a point nor another label."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    figure.draw_without_rendering()
    points = [
        axes.transData.transform(point)
        for one in asked.series
        for point in zip(one.x, one.y, strict=True)
    ]
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in points]
    taken += [box for one in asked.series for box in _whiskers(axes, one)]
    for label in labels:
        boxes = []
        for side in SIDES:
            _move(label, side)
            box = label.get_window_extent(renderer)
            boxes.append((box.count_overlaps(taken), box, side))
        _, box, side = min(boxes, key=lambda one: one[0])
        _move(label, side)
        taken.append(box)


def _whiskers(axes: Axes, series: Series) -> list[Bbox]:
    """Return where the intervals of a series stand."""
    ends = zip(series.x, series.low or (), series.high or (), strict=False)
    return [
        Bbox([*axes.transData.transform([(x, low), (x, high)])]).padded(2) for x, low, high in ends
    ]


def _move(label: Annotation, side: _Side) -> None:
    label.set_position(side.offset)
    label.set_horizontalalignment(side.horizontal)
    label.set_verticalalignment(side.vertical)
