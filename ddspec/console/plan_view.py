"""A plan for review, as plain text: what, from which networks, by which steps, at which cost."""

from __future__ import annotations

from collections.abc import Iterator

from ddspec.console.disagreements_view import disagreement_lines
from ddspec.console.layout import placed, wrapped
from ddspec.console.matrix_view import matrix_lines, varies
from ddspec.console.overview import Overview
from ddspec.console.plan_sections import AFTER_LOCK, headline, sections
from ddspec.console.plan_table import table
from ddspec.console.setting_words import cut
from ddspec.console.why_view import why_lines
from ddspec.errors import Diagnostic
from ddspec.plan.ir import Plan
from ddspec.plan.rows import told
from ddspec.visible import visible

LINES = 44
"""Of the overview of one experiment, at most; a matrix has a few more."""
MATRIX_LINES = 59
NOTES_SHOWN = 6
MISSING_SHOWN = 3
EXPECTED_SHOWN = 3
SOURCE = 160
"""Characters of the source of a published number."""


def render_plan(overview: Overview) -> str:
    """Return the plan as text of at most `overview.width` columns, without a last line end."""
    above, below = [*_above(overview)], [*_below(overview)]
    most = MATRIX_LINES if overview.plan.is_matrix else LINES
    said = {one.path: one for one in overview.settings}
    between = disagreement_lines(
        overview.disagreements, said, width=overview.width, most=most - len(above) - len(below) - 1
    )
    return "\n".join([*above, *([""] if between else []), *between, *below])


def _above(overview: Overview) -> Iterator[str]:
    whole, width = overview.plan, overview.width
    plan = whole.of(whole.variants[0].name)
    yield _title(whole, headline(plan, variants=len(whole.variants)), width)
    yield ""
    if whole.is_matrix:
        yield from matrix_lines(whole, width)
    for name, words in sections(plan):
        marked = f"{name}*" if varies(name, whole) else name
        yield from wrapped(marked, words, width)
    yield ""
    yield from table(overview)
    for name, text in why_lines(overview):
        yield from wrapped(name, text.split(" · "), width)
    yield from _missing(overview)


def _title(plan: Plan, words: str, width: int) -> str:
    right = f"plan {plan.digest[:12]}" if plan.locked else f"key: {AFTER_LOCK}"
    room = width - len(right) - 2
    return f"{cut(words, room):<{room}}  {right}"


def _missing(overview: Overview) -> Iterator[str]:
    """Yield what `run` refuses this plan for, before it starts anything."""
    parts = overview.missing
    if not parts:
        return
    shown = [f"{visible(one.part)} ({told(one.labels)})" for one in parts[:MISSING_SHOWN]]
    shown += [f"and {len(parts) - MISSING_SHOWN} more"] if len(parts) > MISSING_SHOWN else []
    words = ["`run` refuses, no runner of this version has", *shown]
    yield from wrapped("cannot run", words, overview.width)


def _below(overview: Overview) -> Iterator[str]:
    width, expected = overview.width, overview.plan.experiment.expect
    said = next((one.where for one in overview.settings if one.path == "expect"), "")
    for one in () if overview.plan.is_matrix else expected[:EXPECTED_SHOWN]:
        spread = f" ± {100 * one.tolerance:.3g}" if one.tolerance is not None else ""
        network = "" if one.network is None else f" {visible(one.network)}"
        source = cut(visible(one.source), SOURCE)
        said_of = "" if one.set is None else f" of {visible(one.set)}"
        claim = f"better than {visible(one.above or '')}"
        claim = claim if one.accuracy is None else f"{100 * one.accuracy:.3g}{spread} %"
        words = f"{claim}{said_of}{network} ({source})"
        yield from placed(wrapped("expected", [words], width), said, width)
    # variants that are alike are told the same, each in its own line of the spec
    notes: dict[tuple[str, str], Diagnostic] = {}
    for note in overview.notes:
        notes.setdefault((note.code, note.message), note)
    shown = list(notes.values())[:NOTES_SHOWN]
    for note in shown:
        yield from _note(note, width)
    more = len(overview.notes) - len(shown)
    if more > 0:
        words = f"and {more} more note{'' if more == 1 else 's'}: `ddspec validate`"
        yield from wrapped("", [words], width)
    for moved in overview.drift:
        yield from wrapped("drift", [f"{moved.part}: {moved.message}"], width)
    if overview.verdicts:
        yield from _policy(overview)
    yield from wrapped("next", overview.following, width)


def _policy(overview: Overview) -> Iterator[str]:
    # most plans fall under no policy, and what judges them takes a while to load
    from ddspec.console.policy_view import broken_lines, policy_summary

    yield from wrapped("policy", [policy_summary(overview.verdicts)], overview.width)
    for state, text, where in broken_lines(overview.verdicts):
        yield from placed(wrapped(state, [text], overview.width), where, overview.width)


def _note(note: Diagnostic, width: int) -> list[str]:
    place = note.place
    where = visible(f"{place.file}:{place.line}") if place and place.line else ""
    lines = wrapped(f"note {note.code}".rstrip(), [visible(note.message)], width)
    return placed(lines, where, width)
