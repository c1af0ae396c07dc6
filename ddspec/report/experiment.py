"""What came out of one experiment: accuracies, expectations, pictures, classes and curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.plan.ir import Plan
from ddspec.report.figures import Figure
from ddspec.report.losses import accuracy_figures, distillation_figures, training_figure
from ddspec.report.pictures import Album, Picture
from ddspec.report.subject import Shelf
from ddspec.run.curves import Curve, curves
from ddspec.run.per_class import ClassTable, class_tables
from ddspec.run.scores import SETS, Gain, Score, gain, scores
from ddspec.run.verification import Claim

JUDGING = "evaluate/"
"""What labels of evaluations begin with."""


@dataclass(frozen=True, slots=True)
class SetRow:
    """The accuracies of one set in a table of one network."""

    score: Score
    ahead: Gain | None
    """How far the distilled set is ahead of it; None of the distilled set itself."""
    alike: bool
    """Whether both are learned from labels of one kind."""


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """The sets that one network judges by one protocol."""

    network: str
    protocol: str
    on: str
    rows: tuple[SetRow, ...]

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the least and the largest accuracy, for a scale."""
        values = [value for row in self.rows for value in row.score.accuracies]
        return min(values), max(values)

    @property
    def labelled(self) -> bool:
        """Return whether kinds of labels have to be told apart."""
        return any(row.score.labels != "hard" for row in self.rows)

    @property
    def rated(self) -> bool:
        """Return whether the protocol takes a learned rate."""
        return any(row.score.rate is not None for row in self.rows)


@dataclass(frozen=True, slots=True)
class CrossTable:
    """Several networks by one protocol, one a row."""

    protocol: str
    on: str
    sets: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Score | None, ...]], ...]
    """Network, and its scores in the order of `sets`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one experiment."""

    name: str
    """Of the variant; empty without a matrix."""
    anchor: str
    """By which the page names it."""
    settings: Mapping[str, Json]
    """What the matrix sets for it."""
    tables: tuple[ScoreTable, ...]
    best: tuple[ScoreTable, ...]
    """The same of networks that were best on validation images."""
    crossed: tuple[CrossTable, ...]
    """Where several networks judge."""
    curves: tuple[Curve, ...]
    claims: tuple[Claim, ...]
    pictures: tuple[Picture, ...]
    names: tuple[str, ...]
    """Of the classes."""
    classes: tuple[ClassTable, ...]
    """Of the distilled set."""
    figures: tuple[Figure, ...]
    planned: int
    """Networks that the plan trains to judge."""
    judged: int
    """Those that are done."""

    @property
    def main(self) -> SetRow | None:
        """Return the first accuracy of the distilled set."""
        rows = (row for table in self.tables for row in table.rows)
        return next((row for row in rows if row.score.set == SETS[0]), None)


@dataclass(frozen=True, slots=True)
class Ground:
    """What outcomes of one page have in common."""

    shelf: Shelf
    album: Album
    claims: Sequence[Claim]


def outcome_of(
    plan: Plan, name: str, settings: Mapping[str, Json], at: Ground, anchor: str
) -> Outcome:
    """Gather what the store has of one experiment; `plan` is of it alone."""
    found = scores(plan, at.shelf.metrics)
    over_loops = curves(plan, at.shelf.metrics)
    best = tuple(one for score in found if (one := score.on_validation) is not None)
    keys = [stage.key for stage in plan if stage.label.startswith(JUDGING)]
    return Outcome(
        name=name,
        anchor=anchor,
        settings=settings,
        tables=tuple(_tables(found)),
        best=tuple(_tables(best)),
        crossed=tuple(_crossed(found)),
        curves=over_loops,
        claims=tuple(one for one in at.claims if name in (one.variant, *one.variants)),
        pictures=tuple(at.album.pictures(plan, at.shelf)),
        names=plan.data.classes,
        classes=_classes(plan, at.shelf),
        figures=tuple(_figures(plan, at.shelf, over_loops, anchor)),
        planned=len(keys),
        judged=sum(at.shelf.has(key) for key in keys),
    )


def _figures(plan: Plan, shelf: Shelf, found: Sequence[Curve], anchor: str) -> Iterator[Figure]:
    yield from accuracy_figures(found, anchor)
    yield from distillation_figures(plan, shelf, anchor)
    training = training_figure(plan, shelf, anchor)
    if training is not None:
        yield training


def tables_of(plan: Plan, shelf: Shelf) -> tuple[ScoreTable, ...]:
    """Return the accuracies of one experiment, one table a network and protocol."""
    return tuple(_tables(scores(plan, shelf.metrics)))


def _tables(found: Sequence[Score]) -> Iterator[ScoreTable]:
    for place in dict.fromkeys(score.place for score in found):
        members = [score for score in found if score.place == place]
        made = next((score for score in members if score.set == SETS[0]), None)
        yield ScoreTable(*place, tuple(_row(score, made) for score in members))


def _row(score: Score, made: Score | None) -> SetRow:
    if made is None or made is score:
        return SetRow(score, None, alike=True)
    return SetRow(score, gain(made, score), alike=made.labels == score.labels)


def _crossed(found: Sequence[Score]) -> Iterator[CrossTable]:
    for protocol, on in dict.fromkeys((score.protocol, score.on) for score in found):
        members = [score for score in found if (score.protocol, score.on) == (protocol, on)]
        networks = tuple(dict.fromkeys(score.network for score in members))
        sets = tuple(dict.fromkeys(score.set for score in members))
        if len(networks) > 1:
            at = {(score.network, score.set): score for score in members}
            rows = ((name, tuple(at.get((name, kind)) for kind in sets)) for name in networks)
            yield CrossTable(protocol, on, sets, tuple(rows))


def _classes(plan: Plan, shelf: Shelf) -> tuple[ClassTable, ...]:
    figures = {
        stage.key: shelf.figures(stage.key)
        for stage in plan
        if stage.key is not None and stage.label.startswith(JUDGING) and shelf.has(stage.key)
    }
    return tuple(table for table in class_tables(plan, figures) if table.set == SETS[0])
