"""Draw figures: lines, points, bars, matrices and timelines, as SVG or PNG.

The same question gives the same bytes. SVG has its text as text, no background, and the colour of
the text around it as its ink, so that it reads on light pages and on dark ones.
"""

from __future__ import annotations

import json
from typing import assert_never

from matplotlib.figure import Figure as Drawn

from ddspec.canon import Json
from ddspec_analysis import draw_bars, draw_heat, draw_line, draw_scatter, draw_timeline
from ddspec_analysis.draw_canvas import looks, png, salt_of, svg
from ddspec_analysis.draw_model import (
    Bars,
    Figure,
    Heat,
    Line,
    Question,
    Scatter,
    Timeline,
    question_of,
)


def answer(question: Json) -> Json:
    """Return `{"figures": [...]}`: SVG as text, or PNG in base64, one for each that is asked for.

    Raises ValueError where a figure cannot be drawn: columns of unequal length, numbers that are
    none, an interval that its value is outside of, an unknown kind.
    """
    asked = question_of(question)
    return {"figures": [_drawn(one, asked, at) for at, one in enumerate(asked.figures)]}


def _drawn(figure: Figure, asked: Question, at: int) -> str:
    salt = salt_of(json.dumps(figure.model_dump(mode="json"), sort_keys=True))
    salt += f"-{at}" if at else ""  # two that are the same may stand in one page
    with looks(salt):
        drawn = _figure(figure)
        return svg(drawn, salt) if asked.format == "svg" else png(drawn, asked.dpi)


def _figure(figure: Figure) -> Drawn:
    match figure:
        case Line():
            return draw_line.draw(figure)
        case Scatter():
            return draw_scatter.draw(figure)
        case Bars():
            return draw_bars.draw(figure)
        case Heat():
            return draw_heat.draw(figure)
        case Timeline():
            return draw_timeline.draw(figure)
    assert_never(figure)
