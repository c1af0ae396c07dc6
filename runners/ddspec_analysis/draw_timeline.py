"""What went on when."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ddspec_analysis.draw_axes import set_axes
from ddspec_analysis.draw_canvas import Handle, canvas, legend
from ddspec_analysis.draw_looks import look
from ddspec_analysis.draw_model import Axis, Timeline
from ddspec_analysis.draw_words import wrapped

ROW_INCHES, EDGE_INCHES = 0.21, 0.7
NAME_CHARS = 30
THICKNESS = 0.72


def draw(asked: Timeline) -> Figure:
    """Draw a line for each row, the first at the top, with its spans."""
    rows = list(dict.fromkeys(span.row for span in asked.spans))
    groups = list(dict.fromkeys(span.group for span in asked.spans))
    height = asked.height or EDGE_INCHES + ROW_INCHES * len(rows)
    names = [name for name in groups if name]
    figure, axes = canvas(asked, min(height, 200), names)
    handles: list[Handle] = []
    for at, group in enumerate(groups):
        style = look(at).area()
        spans = [span for span in asked.spans if span.group == group]
        for row in dict.fromkeys(span.row for span in spans):
            stretches = [(one.start, one.stop - one.start) for one in spans if one.row == row]
            low = rows.index(row) - THICKNESS / 2
            axes.broken_barh(stretches, (low, THICKNESS), **style)
        handles.append((Patch(**style), group))
    set_axes(axes, asked.x, Axis(), asked.width)
    axes.set_yticks(range(len(rows)), [wrapped(name, NAME_CHARS, 1) for name in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(left=min(0.0, *(span.start for span in asked.spans)))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    legend(figure, asked.width, [handle for handle in handles if handle[1]])
    return figure
