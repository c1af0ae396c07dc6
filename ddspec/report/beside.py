"""Two documents beside each other: what differs, by how much, and what must not be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.plan.leaves import leaves
from ddspec.report.side import Side
from ddspec.report.words import points
from ddspec.run.analysis import ask
from ddspec.run.evidence import evidence_of
from ddspec.run.inference import Ask, Inference, infer
from ddspec.run.pairs import Alone, Pair, paired
from ddspec.store.store import Store

ABSENT = "not set"
UNASKED = frozenset({"name", "title"})
SPEAKS = {
    "sets": "by Welch's test over networks: it speaks of these two sets, not of the methods",
    "methods": "over synthetic sets of several seeds: it speaks of the methods",
}
VERDICTS = {"ahead": "B is ahead", "behind": "A is ahead", "same runs": "the same networks"}


@dataclass(frozen=True, slots=True)
class Beside:
    """One set on one network, on both sides."""

    pair: Pair
    told: Inference | None
    """None where the numbers do not compare."""

    @property
    def interval(self) -> str:
        """Return the interval of the difference, in points."""
        if self.told is None or self.told.low is None or self.told.high is None:
            return "\N{EN DASH}"
        return f"{points(self.told.low)} to {points(self.told.high)}"

    @property
    def verdict(self) -> str:
        """Return what the interval says, and what would tell where it says nothing."""
        if self.told is None:
            facts = ", ".join(one.fact for one in self.pair.unlike)
            return f"not compared: another {facts}"
        words, more = VERDICTS.get(self.told.verdict, self.told.verdict), self.told.more
        if more is None or more.n == 0:
            return words
        count = "over 1,000" if more.n is None else f"{more.n:,}"
        size = f"{100 * more.size:.1f}"
        return f"{words}: {count} more {more.what} on each side would tell {size} points"


@dataclass(frozen=True, slots=True)
class Moved:
    """A setting that is not the same on both sides."""

    path: str
    first: Json
    second: Json


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a reader of two documents wants to know first."""

    rows: tuple[Beside, ...]
    alone: tuple[Alone, ...]
    """What only one side has."""
    moved: tuple[Moved, ...]
    corrected_over: int
    """Of how many tests the verdicts are corrected."""

    @property
    def how(self) -> str:
        """Return what the intervals are of; empty where there is none."""
        told = dict.fromkeys(one.told.of for one in self.rows if one.told and one.told.test)
        words = "; ".join(SPEAKS[of] for of in told)
        if self.corrected_over > 1 and words:
            words += f". Verdicts are corrected for {self.corrected_over} comparisons (Holm)"
        return words


def comparison_of(first: Side, second: Side, store: Store | None, ask: Ask = ask) -> Comparison:
    """Compare two sides; accuracies that do not compare are shown, and not subtracted.

    Raises `DdspecError` (exit 6) where statistics are not installed.
    """
    found = paired(*(evidence_of(side.plan, store, side.file) for side in (first, second)))
    told = infer(found.pairs, ask=ask)
    rows = (Beside(pair, one) for pair, one in zip(found.pairs, told.found, strict=True))
    return Comparison(tuple(rows), found.alone, tuple(_moved(first, second)), told.corrected_over)


def _moved(first: Side, second: Side) -> Iterator[Moved]:
    before, after = (_asked(side) for side in (first, second))
    for path in dict.fromkeys((*before, *after)):
        values = (before.get(path, ABSENT), after.get(path, ABSENT))
        if values[0] != values[1] and path.partition(".")[0] not in UNASKED:
            yield Moved(path, *values)


def _asked(side: Side) -> Mapping[str, Json]:
    """Return every setting of a side by its path."""
    spec = side.plan.experiment.model_dump(mode="json", exclude_none=True)
    return dict(leaves(spec))
