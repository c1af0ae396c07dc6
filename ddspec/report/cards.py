"""The few numbers that stand first on a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ddspec.console.durations import duration
from ddspec.console.quantities import count
from ddspec.report.experiment import Outcome, SetRow
from ddspec.report.side import Side
from ddspec.report.words import percent, points, spread


@dataclass(frozen=True, slots=True)
class Card:
    """One number, and what it is."""

    name: str
    value: str
    unit: str = ""
    about: str = ""
    lead: bool = False
    """Whether it is what the page is about."""


def cards_of(side: Side) -> tuple[Card, ...]:
    """Return the numbers of one side."""
    return tuple(_cards(side))


def _cards(side: Side) -> Iterator[Card]:
    if side.is_matrix:
        yield Card("variants", count(side.variants), lead=True)
    else:
        yield from _accuracies(side.outcomes[0])
    yield _images(side)
    devices = dict.fromkeys(one.facts.get("device", "") for one in side.environments)
    if side.seconds:
        on = ", ".join(devices)
        yield Card("working time", duration(side.seconds), about=f"of all stages, on {on}")
    whole = len(side.stages)
    about = "all is done" if side.finished == whole else f"{whole - side.finished:,} are not done"
    yield Card("stages", f"{side.finished:,}", f"of {whole:,}", about)


def _accuracies(outcome: Outcome) -> Iterator[Card]:
    main = outcome.main
    if main is None:
        yield Card("distilled set", "\N{EN DASH}", about="not known yet", lead=True)
        return
    score = main.score
    networks = f"{len(score.accuracies)} network{'' if len(score.accuracies) == 1 else 's'}"
    about = f"{spread(score.std)} over {networks}, {score.network}, {score.on} split".strip()
    yield Card("distilled set", percent(score.mean), "%", about, lead=True)
    others = {row.score.set: row for row in _beside(outcome, main)}
    for name in ("random", "full"):
        row = others.get(name)
        if row is not None and row.ahead is not None:
            difference = points(row.ahead.difference)
            about = f"{name} {percent(row.score.mean)} % {spread(row.score.std)}"
            yield Card(_against(name), difference, "points", about)


def _against(name: str) -> str:
    return "ahead of random" if name == "random" else "against full data"


def _beside(outcome: Outcome, main: SetRow) -> Iterator[SetRow]:
    place = main.score.place
    for table in outcome.tables:
        yield from (row for row in table.rows if row.score.place == place and row is not main)


def _images(side: Side) -> Card:
    budgets = dict.fromkeys(one.experiment.budget.images_per_class for one in side.plan.variants)
    classes = len(side.plan.data.classes)
    shown = ", ".join(map(str, budgets))
    about = f"{classes} classes" if classes else "classes are not known yet"
    if classes and len(budgets) == 1:
        images = classes * next(iter(budgets))
        train = side.plan.data.train
        share = f", {100 * images / train:.2g} % of the data" if train else ""
        about = f"{images:,} image{'' if images == 1 else 's'} in all{share}"
    return Card("images per class", shown, about=about)
