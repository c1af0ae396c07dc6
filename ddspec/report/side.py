"""Everything that a page says of one document, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec.console.plan_sections import sections
from ddspec.plan.ir import Plan
from ddspec.plan.past import Said
from ddspec.report.cautions import Caution, cautions
from ddspec.report.costs import CostRow, cost_rows
from ddspec.report.experiment import (
    Ground,
    Outcome,
    ScoreTable,
    SetRow,
    outcome_of,
    tables_of,
)
from ddspec.report.figures import Figure
from ddspec.report.history import Environment, History, environments, history_of, timeline
from ddspec.report.pictures import Album
from ddspec.report.replicates import Replicated, replicated
from ddspec.report.subject import NOT_NEEDED, STATES, Kept, Shelf, Subject, shelf_of
from ddspec.run.scores import HARD, SETS, judged
from ddspec.run.verification import Claim, claims_of
from ddspec.store.store import Store
from ddspec.version import __version__

MOST_VARIANTS = 24
"""That are shown in full."""
MOST_ROWS = 500
"""Variants whose accuracies are listed."""
MOST_STAGES = 400
"""That are listed."""
MOST_ATTEMPTS = 200


@dataclass(frozen=True, slots=True)
class Overview:
    """The accuracies of all variants by one network and protocol."""

    network: str
    protocol: str
    on: str
    sets: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[SetRow | None, ...]], ...]
    """Variant, its name on the page ('' where it is not shown in full), and its rows in the order
    of `sets`, None where it has none."""

    @property
    def labelled(self) -> bool:
        """Return whether kinds of labels have to be told apart."""
        found = (row for *_, rows in self.rows for row in rows if row is not None)
        return any(row.score.labels != HARD for row in found)


@dataclass(frozen=True, slots=True)
class Side:
    """One document of a page."""

    anchor: str
    plan: Plan
    file: str
    title: str
    about: str
    """Name, data and budget on one line."""
    asked: tuple[tuple[str, str], ...]
    """What the plan does, one line a piece."""
    settings: Sequence[Said]
    states: Mapping[str, int]
    """How many stages are in each state that some are in."""
    stages: tuple[Kept, ...]
    outcomes: tuple[Outcome, ...]
    """Of the variants that are shown; without a matrix, of the experiment."""
    variants: int
    overviews: tuple[Overview, ...]
    """Of a matrix."""
    replicated: tuple[Replicated, ...]
    """Methods that were distilled from several seeds."""
    claims: tuple[Claim, ...]
    """What is expected of all variants."""
    cautions: tuple[Caution, ...]
    costs: tuple[CostRow, ...]
    history: History
    timeline: Figure | None
    environments: tuple[Environment, ...]
    provenance: tuple[tuple[str, str], ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Return all figures, in the order of the page."""
        of_outcomes = (figure for one in self.outcomes for figure in one.figures)
        return (*of_outcomes, *(() if self.timeline is None else (self.timeline,)))

    @property
    def label(self) -> str:
        """Return what tells it from the other side: the variant, else the title."""
        return self.plan.variants[0].name or self.title

    @property
    def is_matrix(self) -> bool:
        """Return whether it has variants."""
        return self.plan.is_matrix and len(self.plan.variants) > 1

    @property
    def finished(self) -> int:
        """Return how many stages a run has nothing left to do for."""
        return self.states.get("in store", 0) + self.states.get(NOT_NEEDED, 0)

    @property
    def seconds(self) -> float:
        """Return the working time behind all outputs that tell it."""
        return sum(one.seconds or 0.0 for one in self.stages)


def side_of(subject: Subject, store: Store | None, album: Album, anchor: str) -> Side:
    """Gather all that a page says of a document; nothing is run, drawn or changed."""
    plan = subject.plan
    shelf, history = shelf_of(plan, store), history_of(plan, store)
    claims = _claims(subject, shelf)
    outcomes = tuple(_outcomes(subject, Ground(shelf, album, claims), anchor))
    where, seeds = environments(shelf), replicated(plan, store)
    first = plan.of(plan.variants[0].name)
    counts = Counter(one.state for one in shelf.kept)
    return Side(
        anchor=anchor,
        plan=plan,
        file=subject.file,
        title=plan.experiment.title or plan.name,
        about=" · ".join(_about(plan)),
        asked=tuple((name, " · ".join(words)) for name, words in sections(first)),
        settings=subject.settings,
        states={state: counts[state] for state in STATES if counts[state]},
        stages=shelf.kept,
        outcomes=outcomes,
        variants=len(plan.variants),
        overviews=tuple(_overviews(plan, shelf, outcomes)) if len(plan.variants) > 1 else (),
        replicated=seeds,
        claims=claims,
        cautions=tuple(cautions(subject, shelf, history, outcomes, where, seeds)),
        costs=cost_rows(plan, shelf),
        history=history,
        timeline=timeline(history, f"{anchor}-timeline"),
        environments=where,
        provenance=tuple(_provenance(subject, outcomes)),
    )


def _about(plan: Plan) -> Iterator[str]:
    data, variant = plan.data, plan.variants[0]
    yield plan.name
    if len(plan.variants) > 1:
        yield f"{len(plan.variants):,} variants"
    elif variant.name:
        yield f"variant {variant.name}"
    yield data.title
    classes = f"{len(data.classes)} classes" if data.classes else "classes not known yet"
    yield f"{classes} at {data.size} \N{MULTIPLICATION SIGN} {data.size} pixels"


def _claims(subject: Subject, shelf: Shelf) -> tuple[Claim, ...]:
    chosen = {one.name for one in subject.plan.variants}
    found = claims_of(subject.whole, _whole_shelf(subject, shelf))
    return tuple(one for one in found if chosen & {one.variant, *one.variants})


def _outcomes(subject: Subject, at: Ground, anchor: str) -> Iterator[Outcome]:
    for number, variant in enumerate(subject.plan.variants[:MOST_VARIANTS], start=1):
        alone = subject.plan.of(variant.name)
        yield outcome_of(alone, variant.name, variant.settings, at, f"{anchor}{number}")


def _whole_shelf(subject: Subject, shelf: Shelf) -> Mapping[Digest, Mapping[str, JsonValue]]:
    """Return the figures of all variants, also those that are not shown."""
    if subject.whole is subject.plan or not subject.whole.is_matrix:
        return shelf.metrics
    return shelf_of(subject.whole, shelf.store).metrics


def _overviews(plan: Plan, shelf: Shelf, outcomes: Sequence[Outcome]) -> Iterator[Overview]:
    anchors = {one.name: one.anchor for one in outcomes}
    names = [variant.name for variant in plan.variants[:MOST_ROWS]]
    tables = {name: tables_of(plan.of(name), shelf) for name in names}
    for place in dict.fromkeys(_place(table) for found in tables.values() for table in found):
        of = {name: _rows_at(found, place) for name, found in tables.items()}
        sets = tuple(kind for kind in SETS if any(kind in rows for rows in of.values()))
        chosen = [(name, rows) for name, rows in of.items() if rows]
        told = (
            (name, anchors.get(name, ""), tuple(rows.get(kind) for kind in sets))
            for name, rows in chosen
        )
        yield Overview(*place, sets, tuple(told))


def _rows_at(tables: Sequence[ScoreTable], place: tuple[str, str, str]) -> dict[str, SetRow]:
    chosen = (table for table in tables if _place(table) == place)
    return {row.score.set: row for table in chosen for row in table.rows}


def _place(table: ScoreTable) -> tuple[str, str, str]:
    return (table.network, table.protocol, table.on)


def _provenance(subject: Subject, outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str]]:
    plan = subject.plan
    yield "document", subject.file
    if subject.commit:
        yield "git commit", subject.commit
    yield "plan", plan.digest
    for data in {variant.data.name: variant.data for variant in plan.variants}.values():
        yield f"data {data.name}", data.content or "not locked"
    for name, digest in plan.presets.items():
        yield f"preset {name}", digest
    for variant in plan.variants[:MOST_VARIANTS]:
        key = _set_key(plan.of(variant.name))
        if key is not None:
            yield f"set {variant.name}".strip(), key
    yield "page made by", f"ddspec {__version__}"


def _set_key(plan: Plan) -> Digest | None:
    """Return the key of the set that evaluations of the distilled set are trained on."""
    for one in judged(plan):
        if one.set == SETS[0]:
            return plan.stage(one.stage.upstream["set"]).key
    return None
