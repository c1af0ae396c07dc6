"""The page itself: templates in, one HTML file out that needs nothing else.

Whatever a template prints is escaped by the rules of HTML, and before that made visible, so that no
title can reorder what stands beside it. Figures alone are markup already: our own process drew
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
import markupsafe

from ddspec.console.durations import duration, time_span
from ddspec.console.quantities import flops
from ddspec.plan.leaves import leaves
from ddspec.report.beside import Comparison
from ddspec.report.cards import cards_of
from ddspec.report.figures import drawn
from ddspec.report.side import MOST_ATTEMPTS, MOST_ROWS, MOST_STAGES, Side
from ddspec.report.words import (
    level,
    moment_utc,
    percent,
    points,
    short,
    spread,
    times,
    value_words,
)
from ddspec.run.judgement import band_of
from ddspec.run.per_class import ClassRow, ClassTable
from ddspec.run.verification import Claim
from ddspec.visible import visible_lines

TEMPLATES = Path(__file__).with_name("templates")
CLASSES_SHOWN = 20
"""Rows of a table of classes, and the most classes that a confusion matrix is shown of."""


@dataclass(frozen=True, slots=True)
class Page:
    """One document, or two beside each other."""

    sides: tuple[Side, ...]
    comparison: Comparison | None = None

    @property
    def title(self) -> str:
        """Return what a window is called."""
        titles = list(dict.fromkeys(side.title for side in self.sides))
        labels = list(dict.fromkeys(side.label for side in self.sides))
        if len(titles) == len(self.sides) or labels == titles:
            return " against ".join(titles)
        return f"{titles[0]}: {' against '.join(labels)}"


def rendered(page: Page) -> str:
    """Return the page as HTML; the same of the same store and plan.

    Raises `DdspecError` (exit 6) where the libraries that draw are not installed.
    """
    figures = [figure for side in page.sides for figure in side.figures]
    svgs = {name: markupsafe.Markup(svg) for name, svg in drawn(figures).items()}
    css = markupsafe.Markup((TEMPLATES / "report.css").read_text("utf-8"))
    return _template().render(page=page, svgs=svgs, css=css, sections=_sections(page))


def _sections(page: Page) -> list[tuple[str, str]]:
    """Return the sections that a page has, by the name that links have, in their order."""
    left_out = {"images", "classes", "curves"} if page.sides[0].is_matrix else {"variants"}
    left_out |= set() if page.comparison else {"compared"}
    return [(name, title) for name, title in SECTIONS.items() if name not in left_out]


def _worst(table: ClassTable) -> list[ClassRow]:
    """Return the classes of a table that are told worst, in its order."""
    known = [row for row in table.rows if row.mean is not None]
    worst = sorted(known, key=lambda row: row.mean or 0.0)[:CLASSES_SHOWN]
    return [row for row in table.rows if row in worst]


def _networks(table: ClassTable) -> int:
    return max((len(row.accuracies) for row in table.rows), default=0)


def _facts(side: Side) -> list[str]:
    """Return what is told of some environment of a side."""
    return list(dict.fromkeys(name for one in side.environments for name in one.facts))


def _asides(claims: Sequence[Claim]) -> list[str]:
    """Return why claims cannot be compared, and how they were taken otherwise; each once."""
    told = (text for one in claims for text in (one.judgement.reason, one.note) if text)
    return list(dict.fromkeys(told))


def _band(claim: Claim) -> float | None:
    return band_of(claim.expected.tolerance, claim.expected.std)


def _shown(value: object) -> object:
    """Return a value that a template prints, with what could reorder or hide text made visible."""
    if isinstance(value, markupsafe.Markup) or value is None:
        return value
    return visible_lines(str(value))


def _prose(text: str) -> markupsafe.Markup:
    """Return a message with what stands between backticks as code."""
    escaped = str(markupsafe.escape(visible_lines(text)))
    return markupsafe.Markup(_CODE.sub(r"<code>\1</code>", escaped))


_CODE = re.compile("`([^`]+)`")
SECTIONS: Mapping[str, str] = {
    "compared": "Compared",
    "mind": "Keep in mind",
    "asked": "Asked",
    "results": "Results",
    "variants": "Variants",
    "images": "Images",
    "classes": "Classes",
    "curves": "Curves",
    "time": "Time",
    "stages": "Stages",
    "made": "Provenance",
}
"""By the name that links have, in the order of the page."""
FILTERS: Mapping[str, Callable[..., object]] = {
    "asides": _asides,
    "band": _band,
    "cards": cards_of,
    "facts": _facts,
    "networks": _networks,
    "worst": _worst,
    "duration": duration,
    "flops": flops,
    "leaves": leaves,
    "level": level,
    "moment": moment_utc,
    "percent": percent,
    "points": points,
    "prose": _prose,
    "short": short,
    "span": time_span,
    "spread": spread,
    "times": times,
    "told": value_words,
}


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_shown,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(
        CLASSES_SHOWN=CLASSES_SHOWN,
        MOST_ATTEMPTS=MOST_ATTEMPTS,
        MOST_ROWS=MOST_ROWS,
        MOST_STAGES=MOST_STAGES,
    )
    return environment.get_template("report.html.j2")
