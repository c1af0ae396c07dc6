"""A plan for review, as plain text: what, from which networks, by which steps, at which cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddspec.console.disagreements_view import disagreement_lines
from ddspec.console.overview import Overview
from ddspec.console.plan_sections import AFTER_LOCK, headline, sections
from ddspec.console.plan_table import table
from ddspec.console.why_view import why_lines
from ddspec.errors import Diagnostic
from ddspec.plan.ir import Plan
from ddspec.visible import visible

WIDTH = 100
INDENT = 12
LINES = 44
"""Of the overview of one experiment, at most."""


def render_plan(overview: Overview) -> str:
    """Return the plan as text of at most 100 columns, without a trailing line end."""
    plan = overview.plan.of(overview.plan.variants[0].name)
    above = [
        _title(overview.plan, headline(plan)),
        "",
        *(line for name, words in sections(plan) for line in _wrapped(name, words)),
        "",
        *table(overview),
        *(line for name, text in why_lines(overview) for line in _wrapped(name, [text])),
    ]
    below = [*_footer(overview), *_wrapped("next", overview.following)]
    said = {one.path: one for one in overview.settings}
    room = LINES - len(above) - len(below) - 1
    between = disagreement_lines(overview.disagreements, said, room)
    return "\n".join([*above, *([""] if between else []), *between, *below])


def _title(plan: Plan, words: str) -> str:
    right = f"plan {plan.digest[:12]}" if plan.locked else f"key: {AFTER_LOCK}"
    room = WIDTH - len(right) - 2
    left = words if len(words) <= room else f"{words[: room - 1]}…"
    return f"{left:<{room}}  {right}"


def _footer(overview: Overview) -> Iterator[str]:
    for expected in overview.plan.experiment.expect:
        spread = f" ± {100 * expected.tolerance:.3g}" if expected.tolerance is not None else ""
        network = "" if expected.network is None else f" {visible(expected.network)}"
        words = f"{100 * expected.accuracy:.3g}{spread} %{network} ({visible(expected.source)})"
        yield from _wrapped("expected", [words])
    for note in overview.notes:
        yield from _note(note)


def _note(note: Diagnostic) -> Iterator[str]:
    """Yield a note, its place at the right edge of the first line that has room for it."""
    place = note.place
    where = visible(f"{place.file}:{place.line}") if place and place.line else ""
    lines = _wrapped(f"note {note.code}".rstrip(), [visible(note.message)])
    for at, line in enumerate(lines):
        if where and len(line) + 2 + len(where) <= WIDTH:
            lines[at] = f"{line:<{WIDTH - len(where)}}{where}"
            break
    else:
        lines += [f"{where:>{WIDTH}}"] if where else []
    yield from lines


def _wrapped(name: str, parts: Sequence[str]) -> list[str]:
    """Return parts joined by dots, broken before a part, or in it where it must be."""
    indent = max(INDENT, len(name) + 2)
    width = WIDTH - indent
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and len(joined) <= width:
            lines[-1] = joined
        else:
            lines += _broken(part, width)
    return [f" {name if i == 0 else '':<{indent - 1}}{line}" for i, line in enumerate(lines)]


def _broken(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]
