"""Accuracies by class, and what a class is taken for, over the repeats of each evaluation. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Stage
from ddspec.run.scores import judged

METRICS = "metrics.json"
"""Where an evaluation writes its figures."""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How well the images of one class were told, over repeats."""

    name: str
    accuracies: tuple[float, ...]
    """One a repeat, as fractions; empty where the split has no image of the class."""
    taken_for: str = ""
    """The other class that its images were called most often; empty where they never were."""
    share: float = 0.0
    """Of its images, over all repeats."""

    @property
    def mean(self) -> float | None:
        """Return the mean over repeats; None where there is no image."""
        return statistics.fmean(self.accuracies) if self.accuracies else None

    @property
    def std(self) -> float | None:
        """Return the sample standard deviation (n - 1) over repeats; one repeat has none."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        taken: dict[str, Json] = {"class": self.taken_for, "share": self.share}
        return {
            "class": self.name,
            "accuracy_mean": self.mean,
            "accuracy_std": self.std,
            "repeats": len(self.accuracies),
            "taken_for": taken if self.taken_for else None,
        }


@dataclass(frozen=True, slots=True)
class ClassTable:
    """All classes of one set, network and protocol."""

    set: str
    network: str
    protocol: str
    on: str
    rows: tuple[ClassRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Images of class [row] that were called class [column], over all repeats."""

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "set": self.set,
            "network": self.network,
            "protocol": self.protocol,
            "on": self.on,
            "classes": [row.plain() for row in self.rows],
            "confusion": [list(row) for row in self.confusion],
        }


def class_tables(
    stages: Iterable[Stage], figures: Mapping[Digest, Mapping[str, Json]]
) -> tuple[ClassTable, ...]:
    """Gather the tables of evaluations that are done, in the order of a plan.

    `figures` holds the whole `metrics.json` of finished evaluations by key. One that is not what
    an evaluation writes counts as not done.
    """
    groups: dict[tuple[str, str, str, str], list[_Told]] = {}
    for one in judged(stages):
        told = _told(figures.get(one.stage.key or "", {}))
        if told is not None:
            groups.setdefault(one.group, []).append(told)
    return tuple(_table(group, members) for group, members in groups.items())


@dataclass(frozen=True, slots=True)
class _Told:
    """What one evaluation says of the classes."""

    names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


def _told(figures: Mapping[str, Json]) -> _Told | None:
    by_class, counts = figures.get("per_class"), figures.get("confusion")
    if not isinstance(by_class, Mapping) or not isinstance(counts, Sequence):
        return None
    rows = tuple(_counts(row) for row in counts)
    if [len(row) for row in rows] != [len(by_class)] * len(by_class):
        return None
    return _Told(tuple(by_class), rows)


def _counts(row: Json) -> tuple[int, ...]:
    """Return a row of whole numbers; nothing where it is none."""
    cells = row if isinstance(row, list) else []
    whole = tuple(cell for cell in cells if isinstance(cell, int) and cell >= 0)
    return whole if len(whole) == len(cells) else ()


def _table(group: tuple[str, str, str, str], members: Sequence[_Told]) -> ClassTable:
    names = members[0].names
    alike = [member for member in members if member.names == names]
    rows = zip(*(member.confusion for member in alike), strict=True)
    added = tuple(tuple(map(sum, zip(*row, strict=True))) for row in rows)
    return ClassTable(*group, tuple(_rows(names, alike, added)), added)


def _rows(
    names: Sequence[str], members: Sequence[_Told], added: Sequence[Sequence[int]]
) -> Iterator[ClassRow]:
    for label, name in enumerate(names):
        of_class = [member.confusion[label] for member in members]
        right = tuple(row[label] / sum(row) for row in of_class if sum(row))
        wrong = [(count, -at) for at, count in enumerate(added[label]) if at != label]
        most, at = max(wrong, default=(0, 0))
        if most:
            yield ClassRow(name, right, names[-at], most / sum(added[label]))
        else:
            yield ClassRow(name, right)
