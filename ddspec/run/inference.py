"""Whether one result is ahead of another: what is asked of statistics, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from ddspec.canon import Json
from ddspec.run.analysis import ask
from ddspec.run.pairs import Pair

TOOL = "compare"
CONFIDENCE, POWER, LEAST = 0.95, 0.8, 0.01
"""Of intervals and verdicts; of what would tell; the least difference worth telling, one point."""

Verdict: TypeAlias = Literal["ahead", "behind", "cannot tell", "same runs"]
Ask: TypeAlias = "Callable[[str, Json], Json]"
_FROZEN = ConfigDict(strict=False)


@checked(frozen=True, slots=True, config=_FROZEN)
class More:
    """What would tell two results apart, on either side."""

    what: Literal["repeats", "replicates"]
    """Networks of each set, or synthetic sets of other seeds."""
    n: int | None
    """0 where those there are would have told it, None where over 1,000 are needed."""
    size: float
    """The difference that would be told, as a fraction."""


@checked(frozen=True, slots=True, config=_FROZEN)
class Inference:
    """What two samples of accuracies say of their difference, as fractions."""

    difference: float
    """After minus before."""
    low: float | None
    """The interval, of this comparison alone; None where nothing was repeated or varied."""
    high: float | None
    p: float | None
    """Of no difference, two-sided."""
    p_adjusted: float | None
    """After Holm's correction over all comparisons that were asked together."""
    of: Literal["sets", "methods"]
    """What the difference speaks of: these synthetic sets, or what the methods make."""
    test: Literal["welch", "hierarchical"] | None
    between_std: float | None
    """How far sets of one method spread, beyond their networks."""
    within_std: float | None
    """How far networks of one set spread."""
    more: More | None
    """What would tell, where nothing is told."""
    verdict: Verdict
    """By the corrected p-value: the side after is `ahead` or `behind`, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class Inferences:
    """An answer for each pair that was asked about, in their order."""

    found: tuple[Inference | None, ...]
    """None where the numbers do not compare, and nobody insisted."""
    corrected_over: int
    """Of how many tests the verdicts are corrected."""


@checked(frozen=True, slots=True, config=_FROZEN)
class _Answer:
    comparisons: tuple[Inference, ...]
    corrected_over: int


def infer(pairs: Sequence[Pair], *, force: bool = False, ask: Ask = ask) -> Inferences:
    """Return what the accuracies of pairs say of their differences.

    What stands in several rows is one comparison. `force` compares what does not compare as well.
    Raises `DdspecError` (exit 6) where statistics are not installed. Nothing is asked where there
    is nothing to compare.
    """
    asked = [pair for pair in pairs if force or not pair.unlike]
    numbers: dict[object, int] = {}
    for pair in asked:
        numbers.setdefault(_identity(pair), len(numbers))
    if not numbers:
        return Inferences((None,) * len(pairs), 0)
    first = {numbers[_identity(pair)]: pair for pair in reversed(asked)}
    answer = _asked([first[number] for number in range(len(numbers))], ask)
    found = tuple(
        answer.comparisons[numbers[_identity(pair)]] if force or not pair.unlike else None
        for pair in pairs
    )
    return Inferences(found, answer.corrected_over)


def _asked(pairs: Sequence[Pair], ask: Ask) -> _Answer:
    comparisons: list[Json] = [
        {
            "before": [list(score.accuracies) for score in pair.before],
            "after": [list(score.accuracies) for score in pair.after],
            "same": pair.is_same,
        }
        for pair in pairs
    ]
    told = ask(
        TOOL,
        {
            "confidence": CONFIDENCE,
            "power": POWER,
            "least": LEAST,
            "comparisons": comparisons,
        },
    )
    return TypeAdapter(_Answer).validate_python(told)


def _identity(pair: Pair) -> object:
    """Return what two rows share that are of the same runs; a row without keys stands alone."""
    one, other = pair.runs
    return (pair.set, one, other) if one and other else id(pair)
