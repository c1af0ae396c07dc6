"""What a reader should keep in mind before relying on numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ddspec.plan.ir import Plan
from ddspec.plan.labels import folded
from ddspec.plan.rows import told
from ddspec.report.experiment import Outcome
from ddspec.report.history import Environment, History
from ddspec.report.replicates import Replicated
from ddspec.report.subject import DAMAGED, TO_RUN, Shelf, Subject
from ddspec.run.scores import SETS
from ddspec.spec.evaluate import REPORTED

FEW = 3
"""Networks below which a deviation says little: with two, its own error is three quarters of it."""
NOTES_SHOWN = 12
DAMAGED_SHOWN = 8
SEVERAL = {
    "device": "Several devices",
    "PyTorch": "Several versions of PyTorch",
    "runners": "Several versions of the runners",
}
"""What outputs should have in common, by its name among the facts of an environment."""
REASON = 160
"""Characters of the reason of a failure."""


@dataclass(frozen=True, slots=True)
class Caution:
    """One thing to keep in mind."""

    title: str
    text: str
    serious: bool = False
    """Whether something is wrong or lacking, and not only worth knowing."""


def cautions(
    subject: Subject,
    shelf: Shelf,
    history: History,
    outcomes: Sequence[Outcome],
    where: Sequence[Environment],
    seeds: Sequence[Replicated] = (),
) -> Iterator[Caution]:
    """Yield what to keep in mind, what is wrong first."""
    yield from _store(shelf)
    yield from _attempts(history)
    yield from _numbers(subject.plan, outcomes, seeds)
    yield from _places(where)
    yield from _notes(subject)


def _store(shelf: Shelf) -> Iterator[Caution]:
    damaged = [one for one in shelf.kept if one.state == DAMAGED]
    for one in damaged[:DAMAGED_SHOWN]:
        text = f"{one.stage.label}: {one.problem}. A run makes it again; here it counts as absent."
        yield Caution("Damaged output", text, serious=True)
    if len(damaged) > DAMAGED_SHOWN:
        more = f"{len(damaged) - DAMAGED_SHOWN} more; `ddspec verify --store` names them all."
        yield Caution("Damaged outputs", more, serious=True)
    absent = [one.stage.label for one in shelf.kept if one.state == TO_RUN]
    if absent:
        text = f"{len(absent):,} of {len(shelf.kept):,} stages are not in the store: {told(absent)}"
        yield Caution("Not finished", f"{text}. Numbers are of what is there.", serious=True)
    if any(one.stage.key is None for one in shelf.kept):
        text = "The data are not locked, so nothing is known of results; `ddspec lock` locks them."
        yield Caution("Not locked", text, serious=True)


def _attempts(history: History) -> Iterator[Caution]:
    if history.damaged:
        text = f"Of {told(history.damaged)} it cannot be told when and where it ran."
        yield Caution("Damaged records", text, serious=True)
    failed: dict[tuple[str, str], list[str]] = {}
    for one in history.unsuccessful:
        reason = one.reason.strip().split("\n")[-1][:REASON] if one.outcome == "failed" else ""
        failed.setdefault((one.outcome, reason), []).append(one.label)
    for (outcome, reason), labels in failed.items():
        count = len(labels)
        text = f"{count:,} attempt{'' if count == 1 else 's'} at {told(tuple(folded(labels)))}"
        told_why = f", at last: {reason}" if reason else ""
        yield Caution(f"{outcome.capitalize()} attempts", f"{text}{told_why}.")


def _numbers(
    plan: Plan, outcomes: Sequence[Outcome], seeds: Sequence[Replicated]
) -> Iterator[Caution]:
    rows = [row for one in outcomes for table in one.tables for row in table.rows]
    if not rows:
        return
    made = [row for row in rows if row.score.set == SETS[0]]
    if made and not seeds:
        yield Caution(
            "One synthetic set",
            "± is the deviation over networks trained on one synthetic set. It says nothing of "
            "what another seed of the distillation would give; `replicates: 3` would.",
        )
    few = {len(row.score.accuracies) for row in made if len(row.score.accuracies) < FEW}
    if few:
        words = f"Accuracies over {min(few)} network{'' if min(few) == 1 else 's'} say little."
        yield Caution("Few repeats", words, serious=True)
    kinds = dict.fromkeys(row.score.labels for row in rows)
    if len(kinds) > 1:
        text = f"Sets are learned from {' and '.join(kinds)} labels; between two kinds, a "
        yield Caution("Kinds of labels", f"{text}difference is not one of images alone.")
    yield from _rates(rows_rates=[row.score for row in rows if row.score.rate is not None])
    yield from _looks(plan)


def _rates(rows_rates: Sequence[object]) -> Iterator[Caution]:
    if rows_rates:
        yield Caution(
            "Learned rates",
            "Networks train on the distilled set at the learning rate that was learned with it, "
            "and on other sets at the protocol's. Part of a difference may be the rate's.",
        )


def _looks(plan: Plan) -> Iterator[Caution]:
    """Yield where the test split was looked at more than once."""
    seen: dict[str, None] = {}
    for variant in plan.variants:
        evaluate, loops = variant.experiment.evaluate, variant.experiment.loops
        if evaluate.on == "test" and evaluate.snapshots and loops.snapshots:
            seen["Snapshots are judged on the test split: the best of them was chosen by it"] = None
        reported = variant.protocol.reported
        if reported is not None and reported in REPORTED:
            words = f"Publications count {REPORTED[reported]} under {variant.protocol.name}"
            seen[f"{words}; here the last network on the last set counts"] = None
    for text in seen:
        yield Caution("Test split", f"{text}.")


def _places(where: Sequence[Environment]) -> Iterator[Caution]:
    for name, title in SEVERAL.items():
        values = dict.fromkeys(one.facts[name] for one in where if name in one.facts)
        if len(values) > 1:
            yield Caution(title, f"Stages of this plan were made by {', '.join(values)}.")


def _notes(subject: Subject) -> Iterator[Caution]:
    notes = {(one.code, one.message): one for one in subject.notes}
    for one in list(notes.values())[:NOTES_SHOWN]:
        place = f" ({one.place.file}:{one.place.line})" if one.place and one.place.line else ""
        yield Caution(f"Note {one.code}".strip(), f"{one.message}{place}")
    if len(notes) > NOTES_SHOWN:
        yield Caution("Notes", f"{len(notes) - NOTES_SHOWN} more: `ddspec validate` lists them.")
