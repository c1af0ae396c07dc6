"""Two documents beside each other: what differs, by how much, and what must not be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.plan.comparable import comparable
from ddspec.plan.leaves import leaves
from ddspec.report.side import Side
from ddspec.report.words import points
from ddspec.run.analysis import ask
from ddspec.run.scores import SETS, Score, same_runs

CONFIDENCE = 0.95
ABSENT = "not set"
UNASKED = frozenset({"name", "title"})
HOW = (
    ", with its 95 % interval by Welch's test over networks: it speaks of these two sets, and not "
    "of the methods. What it says is corrected for all rows (Holm)"
)


@dataclass(frozen=True, slots=True)
class Beside:
    """One set on one network, on both sides."""

    set: str
    first: Score
    second: Score
    difference: float
    """The mean of the second less that of the first, as a fraction."""
    interval: str
    """In points, in words."""
    verdict: str

    @property
    def alike(self) -> bool:
        """Return whether both are learned from labels of one kind."""
        return self.first.labels == self.second.labels


@dataclass(frozen=True, slots=True)
class Moved:
    """A setting that is not the same on both sides."""

    path: str
    first: Json
    second: Json


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a reader of two documents wants to know first."""

    against: tuple[str, ...]
    """In what they differ that speaks against comparing accuracies; empty where in nothing."""
    rows: tuple[Beside, ...]
    moved: tuple[Moved, ...]
    how: str = HOW


def comparison_of(first: Side, second: Side) -> Comparison:
    """Compare two sides, each of one experiment; accuracies of two tests are not compared.

    Raises `DdspecError` (exit 6) where the library of the test is not installed.
    """
    plans = [side.plan.of(side.plan.variants[0].name) for side in (first, second)]
    facts = comparable(*plans).facts
    is_barred = not (facts["protocol"] and facts["test set"])
    pairs = [] if is_barred else list(_pairs(first, second))
    return Comparison(
        against=tuple(name for name, same in facts.items() if not same),
        rows=tuple(_judged(pairs)) if pairs else (),
        moved=tuple(_moved(first, second)),
    )


def _pairs(first: Side, second: Side) -> Iterator[tuple[Score, Score]]:
    sides = [_scores(side) for side in (first, second)]
    for place, before in sides[0].items():
        if place in sides[1]:
            yield before, sides[1][place]


def _scores(side: Side) -> dict[tuple[str, ...], Score]:
    rows = (row.score for table in side.outcomes[0].tables for row in table.rows)
    return {(one.set, *one.place): one for one in rows if one.set in SETS}


def _judged(pairs: Sequence[tuple[Score, Score]]) -> Iterator[Beside]:
    asked: Json = [
        {
            "before": [list(before.accuracies)],
            "after": [list(after.accuracies)],
            "same": same_runs(before, after),
        }
        for before, after in pairs
    ]
    answer = ask("compare", {"confidence": CONFIDENCE, "comparisons": asked})
    found = answer.get("comparisons") if isinstance(answer, dict) else None
    if not isinstance(found, list) or len(found) != len(pairs):
        raise DdspecError("`compare` answered to other pairs than asked for", exit=Exit.FAILED)
    for (before, after), told in zip(pairs, found, strict=True):
        row = told if isinstance(told, dict) else {}
        difference = after.mean - before.mean
        yield Beside(before.set, before, after, difference, _interval(row), _verdict(row))


def _interval(told: Mapping[str, Json]) -> str:
    low, high = told.get("low"), told.get("high")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return "not known"
    return f"{points(low)} to {points(high)}"


WORDS = {"ahead": "B is ahead", "behind": "A is ahead", "same runs": "the same networks"}


def _verdict(told: Mapping[str, Json]) -> str:
    """Return what an interval says, and how many more repeats would say it."""
    verdict, more = str(told.get("verdict")), told.get("more")
    words = WORDS.get(verdict, verdict)
    if isinstance(more, dict):
        words += f"; {more.get('n')} more {more.get('what')} on each side would"
    return words


def _moved(first: Side, second: Side) -> Iterator[Moved]:
    specs = [side.plan.variants[0].experiment for side in (first, second)]
    asked = [dict(leaves(one.model_dump(mode="json", exclude_none=True))) for one in specs]
    for path in dict.fromkeys((*asked[0], *asked[1])):
        before, after = (one.get(path, ABSENT) for one in asked)
        if before != after and path.partition(".")[0] not in UNASKED:
            yield Moved(path, before, after)
