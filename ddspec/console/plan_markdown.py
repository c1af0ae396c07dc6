"""A plan as Markdown that fits into one comment: what `ddspec plan` shows, details folded away."""

from __future__ import annotations

from collections.abc import Iterator

from ddspec.console.budget import GITHUB, Budget, Fold
from ddspec.console.folded import TEMPLATE, folded
from ddspec.console.markdown import FOOTER_ROOM, with_footer
from ddspec.console.markdown_text import code, prose
from ddspec.console.overview import Overview
from ddspec.console.plan_sections import headline, sections
from ddspec.console.plan_table import table_columns, table_words
from ddspec.console.setting_words import value_words
from ddspec.console.templating import cell, joined, piece
from ddspec.plan.said import where_of
from ddspec.plan.text import PLAN_FORMAT

DISAGREEMENTS = ("setting", "taken", "paper", "code", "why")
WORDS = 400
"""Characters of a line about one piece of the plan."""
ROWS = 40
"""Rows of stages that are not folded away."""
STATES = {"kept": "✔", "warned": "warn", "denied": "✘ deny", "unknown": "not known yet"}


def plan_markdown(overview: Overview, path: str) -> str:
    """Return one comment of less than 65,536 characters on the plan of the spec at `path`."""
    budget = Budget(GITHUB - 1 - FOOTER_ROOM)
    for part in _summary(overview, path):
        budget.add(part)
    for fold in _folds(overview):
        budget.add_fold(fold)
    return with_footer(budget.text, [PLAN_FORMAT])


def _summary(overview: Overview, path: str) -> Iterator[str]:
    plan = overview.plan
    words = cell(headline(plan.of(plan.variants[0].name), variants=len(plan.variants)), WORDS)
    yield piece(TEMPLATE, "plan_heading")(path, words)
    yield piece(TEMPLATE, "facts")(tuple(_facts(overview)))
    rows = [
        (name, cell(" · ".join(parts), WORDS))
        for name, parts in sections(plan.of(plan.variants[0].name))
    ]
    yield piece(TEMPLATE, "sections")(rows)
    columns = table_columns(overview)
    yield "\n" + piece(TEMPLATE, "fold_head")([column.name for column in columns])
    stages = list(zip(*(column.cells for column in columns), strict=True))
    for name, *rest in stages[:ROWS]:
        yield piece(TEMPLATE, "fold_row")([code(name), *rest])
    more = [f"{len(stages) - ROWS} more rows"] if len(stages) > ROWS else []
    yield piece(TEMPLATE, "paragraph")([joined([*more, *table_words(overview)], " · ")])


def _facts(overview: Overview) -> Iterator[object]:
    plan = overview.plan
    yield joined(["Plan", code(plan.digest[:12])], " ") if plan.locked else "data not locked yet"
    if overview.verdicts:
        kept = sum(one.state == "kept" for one in overview.verdicts)
        denied = any(one.state == "denied" for one in overview.verdicts)
        yield f"policy {kept} of {len(overview.verdicts)} {'✘' if denied else '✔'}"
    if overview.notes:
        yield f"{len(overview.notes)} note{'s' if len(overview.notes) > 1 else ''}"
    if overview.missing:
        yield "cannot run: no runner of this version has all of it"


def _folds(overview: Overview) -> Iterator[Fold]:
    notes = [
        (code(where_of(one.place)) if one.place else "", prose(one.message), one.code)
        for one in overview.notes
    ]
    yield folded("Notes", ("where", "note", "rule"), notes, len(notes))
    missing = [(one.part, one.needed_by) for one in overview.missing]
    yield folded("What no runner of this version has", ("part", "needed by"), missing, len(missing))
    verdicts = [
        (STATES[one.state], code(one.kind), prose(one.message)) for one in overview.verdicts
    ]
    yield folded("Policy", ("", "rule", ""), verdicts, len(verdicts))
    drift = [(one.part, prose(one.message)) for one in overview.drift]
    yield folded("Drift", ("", ""), drift, len(drift))
    told = [
        (code(one.setting), one.takes, cell(one.paper), cell(one.code), cell(one.why, 160))
        for one in overview.disagreements
        if one.overridden is None
    ]
    yield folded("Paper and code disagree", DISAGREEMENTS, told, len(told))
    values = (
        (code(one.path), cell(value_words(one.value)), _source(one.where, one.note))
        for one in overview.settings
    )
    columns = ("setting", "value", "source")
    yield folded("All settings with their sources", columns, values, len(overview.settings))
    named = [one for one in overview.plan.variants if one.name]
    variants = ((code(one.name), cell(value_words(dict(one.settings)), 160)) for one in named)
    yield folded("Variants", ("variant", "sets"), variants, len(named))
    every = overview.plan.stages
    stages = ((code(one.label), code((one.key or "after lock")[:12])) for one in every)
    yield folded("All stages", ("stage", "key"), stages, len(every))


def _source(where: str, note: str) -> str:
    return f"{where} · {note}" if note else where
