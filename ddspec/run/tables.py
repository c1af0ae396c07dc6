"""Tables of many results, as papers have them: rows methods, columns images per class. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ddspec.canon import Digest, Json
from ddspec.run.costs import Cost
from ddspec.run.inference import Inference
from ddspec.run.scores import HARD

FULL = "full"
LAST = "last"
BEST = "best on validation"


@dataclass(frozen=True, slots=True)
class Cell:
    """The accuracies behind one number of a table."""

    levels: tuple[tuple[float, ...], ...]
    """As fractions: one inner tuple a set that has any, one number a network."""
    sets: int
    """Replicates that are planned."""
    planned: int
    """Networks that are planned, of all replicates together."""
    cost: Cost = field(default_factory=Cost)
    """Behind one set: the mean of the replicates'."""
    keys: frozenset[Digest] = frozenset()
    """Of the evaluations, where they are known."""
    of: tuple[str, ...] = ()
    """Specs and variants that it is from."""
    of_full: float | None = None
    """The mean as a fraction of that of full data; None where there is none."""
    ahead: float | None = None
    """Mean less that of the row that all are compared with; None where there is none."""
    speed_up: float | None = None
    """How many times less working time than the row that all are compared with, on one device."""
    unlike: bool = False
    """Whether what it is compared with was learned from labels of another kind."""

    base: Cell | None = field(default=None, repr=False)
    """What it is compared with."""
    told: Inference | None = None
    """What statistics say of the difference, where they were asked."""

    @property
    def networks(self) -> int:
        """Return how many networks were trained."""
        return sum(map(len, self.levels))

    @property
    def mean(self) -> float | None:
        """Return the mean over sets of the means over networks; None where nothing is known."""
        return statistics.fmean(map(statistics.fmean, self.levels)) if self.levels else None

    @property
    def std(self) -> float | None:
        """Return the sample standard deviation: over sets where there are several, else networks.

        None of a single number.
        """
        values = [statistics.fmean(one) for one in self.levels]
        values = values if len(values) > 1 else [value for one in self.levels for value in one]
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def std_over(self) -> str:
        """Return over what the deviation is: `sets` or `networks`."""
        return "sets" if len(self.levels) > 1 else "networks"

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`; accuracies are fractions."""
        return {
            "accuracy_mean": self.mean,
            "accuracy_std": self.std,
            "std_over": self.std_over,
            "sets": len(self.levels),
            "sets_planned": self.sets,
            "networks": self.networks,
            "networks_planned": self.planned,
            "accuracies": [list(one) for one in self.levels],
            "of_full": self.of_full,
            "ahead": self.ahead,
            "inference": None if self.told is None else _plain_inference(self.told),
            "cost": self.cost.plain(),
            "speed_up": self.speed_up,
            "other_labels": self.unlike,
            "of": list(self.of),
        }

    @property
    def counts(self) -> str:
        """Return sets and networks in brackets: `5`, `3 of 5`, `3 x 5`, `13 of 15, 3 sets`."""
        if self.sets == 1:
            whole = self.networks == self.planned
            return str(self.networks) if whole else f"{self.networks} of {self.planned}"
        sizes = {len(one) for one in self.levels}
        if len(self.levels) == self.sets and len(sizes) == 1 and self.networks == self.planned:
            return f"{self.sets} x {sizes.pop()}"
        made = len(self.levels)
        return f"{self.networks} of {self.planned}, {made} set{'' if made == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Row:
    """A method, or a set that methods are compared with."""

    name: str
    set: str
    """`distilled`, or the name of a baseline."""
    labels: str
    """What networks learn from, as in a `Score`."""
    cells: Mapping[int | None, Cell]
    """By images per class."""
    methods: frozenset[str] = frozenset()
    """Names of the rows whose experiments measured it: of a method its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the numbers of one block have in common."""

    dataset: str
    test_set: Digest | None
    network: str
    protocol: str
    protocol_digest: Digest | None
    on: str
    which: str = LAST
    """`last`, or `best on validation`: which network of a training was tested."""

    @property
    def title(self) -> str:
        """Return it in words."""
        best = "" if self.which == LAST else f", where {self.which}"
        dataset = self.dataset or "a dataset that a file does not tell"
        return f"{dataset} · {self.network} by protocol {self.protocol}, on {self.on}{best}"


@dataclass(frozen=True, slots=True)
class Block:
    """One table."""

    place: Place
    rows: tuple[Row, ...]
    mark: str = ""
    """Tells blocks of one title apart, whose protocols or test sets differ."""
    against: str = ""
    """Name of the row that all are compared with; empty where there is none."""
    corrected_over: int = 0
    """Of how many tests the verdicts on differences are corrected."""

    @property
    def title(self) -> str:
        """Return what all its numbers have in common, in words."""
        return self.place.title + (f" · {self.mark}" if self.mark else "")

    @property
    def columns(self) -> tuple[int | None, ...]:
        """Return images per class in order, what is not known last."""
        found = {column for row in self.rows for column in row.cells}
        return tuple(sorted(found, key=lambda one: (one is None, one or 0)))

    @property
    def labelled(self) -> bool:
        """Whether some networks learn from labels that are not hard, so that rows must say it."""
        return any(row.labels != HARD for row in self.rows)

    def cells(self) -> Iterator[Cell]:
        """Yield all cells that there are."""
        for row in self.rows:
            yield from row.cells.values()

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        place = self.place
        return {
            "dataset": place.dataset,
            "test_set": place.test_set,
            "network": place.network,
            "protocol": place.protocol,
            "protocol_digest": place.protocol_digest,
            "on": place.on,
            "which": place.which,
            "images_per_class": list(self.columns),
            "against": self.against or None,
            "corrected_over": self.corrected_over,
            "rows": [_plain_row(row) for row in self.rows],
        }


def _plain_inference(one: Inference) -> dict[str, Json]:
    return {
        "low": one.low,
        "high": one.high,
        "p": one.p,
        "p_adjusted": one.p_adjusted,
        "of": one.of,
        "test": one.test,
        "verdict": one.verdict,
    }


def _plain_row(row: Row) -> dict[str, Json]:
    return {
        "name": row.name,
        "set": row.set,
        "labels": row.labels,
        "cells": [{"images_per_class": at, **cell.plain()} for at, cell in row.cells.items()],
    }
