"""Compare accuracies of two results: difference, interval, p-value, verdict, and what would tell.

A question has `comparisons`, each with `before` and `after`: accuracies as fractions, a list for
each replicate (a synthetic set of its own distillation seed) of a list for its repeats (networks
trained on it). `same` marks one measurement on both sides. Optional are `confidence`, `power` and
`least`, the smallest difference worth telling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ddspec.canon import Json
from ddspec_analysis.compare_power import More, more
from ddspec_analysis.compare_samples import (
    Levels,
    between_std,
    freedom_of,
    of_methods,
    of_sets,
    within_std,
)

CONFIDENCE, POWER, LEAST = 0.95, 0.8, 0.01
MOST = 10_000
"""Comparisons of one question."""

Of: TypeAlias = Literal["sets", "methods"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One comparison of a question."""

    before: Levels
    after: Levels
    same: bool

    @property
    def of(self) -> Of:
        """What a difference speaks of: methods only where both have several sets."""
        return "methods" if min(len(self.before), len(self.after)) > 1 else "sets"


@dataclass(frozen=True, slots=True)
class Tested:
    """A difference of two means, with Student's interval around it where there is one."""

    difference: float
    error: float | None = None
    """Standard error; None where no spread is known."""
    freedom: float = 0.0

    @property
    def p(self) -> float | None:
        """Return the two-sided p-value of no difference, from the distribution of the interval."""
        from scipy.special import stdtr

        if self.error is None:
            return None
        return float(2 * stdtr(self.freedom, -abs(self.difference) / self.error))

    def half(self, confidence: float) -> float | None:
        """Return half of the width of the interval of a confidence."""
        from scipy.special import stdtrit

        if self.error is None:
            return None
        return float(-stdtrit(self.freedom, (1 - confidence) / 2) * self.error)


def answer(question: Json) -> Json:
    """Return each comparison of a question with its interval, and verdicts after Holm's correction.

    Over both levels, the synthetic sets are the sample (see `of_methods`), and the difference
    speaks of the methods. Where either side has a single set, Welch's test over networks speaks of
    these sets. Without repeats, or where nothing varied, there is no test, and nothing is told.
    Intervals are of one comparison each; verdicts go by the p-values corrected over all of them.
    """
    asked, confidence, power, least = _read(question)
    every = [difference_of(one) for one in asked]
    ps = [None if one.same else found.p for one, found in zip(asked, every, strict=True)]
    adjusted, levels = holm(ps, 1 - confidence)
    rows = []
    for one, found, p, level in zip(asked, every, adjusted, levels, strict=True):
        row = _row(one, found, confidence)
        verdict = _verdict(one, found, p, 1 - confidence)
        plan = None
        if verdict == "cannot tell":
            size = max(abs(found.difference), least)
            plan = more(one.before, one.after, of=one.of, size=size, level=level, power=power)
        rows.append({**row, "p_adjusted": p, "more": _plain(plan), "verdict": verdict})
    return {"comparisons": list[Json](rows), "corrected_over": sum(p is not None for p in ps)}


def holm(ps: Sequence[float | None], level: float) -> tuple[list[float | None], list[float]]:
    """Return p-values adjusted for each other, and at which level each one was judged alone.

    Holm (1979): the i-th smallest of m, from 0, is judged at level / (m - i), as long as all
    before it are told. None is no member of the family; it would be judged at the first level.
    """
    known = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    levels = [level / max(1, len(known))] * len(ps)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[index], levels[index] = largest, level / (len(known) - rank)
    return adjusted, levels


def difference_of(one: Asked) -> Tested:
    """Return how far the mean after is ahead of that before, and how well that is known."""
    estimate = of_methods if one.of == "methods" else of_sets
    before, after = estimate(one.before), estimate(one.after)
    difference = after.mean - before.mean
    if before.variance is None or after.variance is None:
        return Tested(difference)
    if not before.variance and not after.variance:
        return Tested(difference)  # of what never varied the spread is unknown, and not zero
    error = math.sqrt(before.variance + after.variance)
    return Tested(difference, error, freedom_of(before, after))


def _row(one: Asked, found: Tested, confidence: float) -> dict[str, Json]:
    half = None if one.same else found.half(confidence)
    difference = 0.0 if one.same else found.difference
    return {
        "difference": difference,
        "low": None if half is None else difference - half,
        "high": None if half is None else difference + half,
        "p": None if half is None else found.p,
        "of": one.of,
        "test": None if half is None else "hierarchical" if one.of == "methods" else "welch",
        "between_std": between_std(one.before, one.after) if one.of == "methods" else None,
        "within_std": within_std(one.before, one.after),
    }


def _verdict(one: Asked, found: Tested, p: float | None, level: float) -> str:
    if one.same:
        return "same runs"
    if p is None or p > level:
        return "cannot tell"
    return "ahead" if found.difference > 0 else "behind"


def _plain(plan: More | None) -> Json:
    return None if plan is None else {"what": plan.what, "n": plan.n, "size": plan.size}


def _read(question: Any) -> tuple[list[Asked], float, float, float]:
    """Return what is asked for; raises ValueError for people."""
    known = {"comparisons", "confidence", "power", "least"}
    if not isinstance(question, dict) or "comparisons" not in question or set(question) - known:
        raise ValueError("a comparison needs `comparisons`, and may have confidence, power, least")
    given = question["comparisons"]
    if not isinstance(given, list) or len(given) > MOST:
        raise ValueError(f"`comparisons` must be a list of at most {MOST:,}")
    asked = [_asked(one) for one in given]
    confidence = _between(question, "confidence", CONFIDENCE)
    return asked, confidence, _between(question, "power", POWER), _between(question, "least", LEAST)


def _asked(given: Any) -> Asked:
    if not isinstance(given, dict) or not {"before", "after"} <= given.keys():
        raise ValueError("each comparison needs `before` and `after`")
    return Asked(_levels(given["before"]), _levels(given["after"]), given.get("same") is True)


def _levels(given: Any) -> Levels:
    if not isinstance(given, list) or not given or not all(isinstance(x, list) for x in given):
        raise ValueError("a side must be a list of replicates, each a list of accuracies")
    levels = tuple(tuple(map(_accuracy, repeats)) for repeats in given)
    if not all(levels):
        raise ValueError("a replicate without an accuracy")
    return levels


def _accuracy(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"`{value}` is no accuracy")
    return float(value)


def _between(question: dict[str, Any], name: str, default: float) -> float:
    value = question.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(f"`{name}` must lie between 0 and 1")
    return float(value)
