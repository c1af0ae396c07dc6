"""How many more networks or synthetic sets would tell two results apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ddspec_analysis.compare_samples import (
    Estimate,
    Levels,
    between_variance,
    inverse,
    pooled_within,
)

CAP = 1000
"""More than that is no plan, and only said to be more."""
NODES = 40
"""Of Gauss and Legendre, over the quantiles of either variance."""

What: TypeAlias = Literal["repeats", "replicates"]
Future: TypeAlias = "Callable[[int], tuple[Estimate, Estimate]]"
"""From how many more there are on each side to what would be known of both means."""


@dataclass(frozen=True, slots=True)
class More:
    """What would tell two results apart, on both sides."""

    what: What
    """`repeats`: networks of each set; `replicates`: sets with their networks."""
    n: int | None
    """None where `CAP` more are too few; 0 where those that there are would have told it."""
    size: float
    """The difference that would be told."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a side consists of: its sets, and both variances."""

    levels: Levels
    within: float
    between: float

    def with_repeats(self, added: int) -> Estimate:
        """Return what would be known of these very sets with more networks of each."""
        networks = sum(len(repeats) + added for repeats in self.levels)
        variance = self.within * inverse(self.levels, added) / len(self.levels)
        return Estimate(0.0, variance, networks - len(self.levels))

    def with_networks(self, added: int) -> Estimate:
        """Return what would be known of the method with more networks of each set."""
        count = len(self.levels)
        variance = (self.between + self.within * inverse(self.levels, added)) / count
        return Estimate(0.0, variance, count - 1)

    def with_sets(self, added: int) -> Estimate:
        """Return what would be known of the method with more sets that have as many networks."""
        count = len(self.levels) + added
        variance = (self.between + self.within * inverse(self.levels)) / count
        return Estimate(0.0, variance, count - 1)

    @property
    def sets_matter(self) -> bool:
        """Whether sets vary more than the means of their networks do."""
        return self.between > self.within * inverse(self.levels)


def more(
    before: Levels, after: Levels, *, of: str, size: float, level: float, power: float
) -> More | None:
    """Return how many more on each side would tell a true difference of a size.

    At the level of the comparison, two-sided, with a power, if true variances are those measured.
    Over both levels more networks are asked for where they suffice and most of the variance is
    theirs, else more sets. None where no spread is known. A side without repeats is taken to
    spread as the other one does.
    """
    if of == "sets":
        sides = _sides(before, after, between=False)
        if sides is None:
            return None
        one, other = sides
        n = fewest(lambda m: (one.with_repeats(m), other.with_repeats(m)), size, level, power)
        return More("repeats", n, size)
    sides = _sides(before, after, between=True) or _undivided(before, after)
    one, other = sides
    if not any(part.within + part.between for part in sides):
        return None
    if any(part.within for part in sides) and not any(part.sets_matter for part in sides):
        n = fewest(lambda m: (one.with_networks(m), other.with_networks(m)), size, level, power)
        if n is not None:
            return More("repeats", n, size)
    n = fewest(lambda m: (one.with_sets(m), other.with_sets(m)), size, level, power)
    return More("replicates", n, size)


def _sides(before: Levels, after: Levels, *, between: bool) -> tuple[Parts, Parts] | None:
    """Return both sides with their variances; None where networks show no spread."""
    both = pooled_within(before, after)
    if both is None or not both[0]:
        return None
    parts = []
    for levels in (before, after):
        within = (pooled_within(levels) or both)[0]
        parts.append(Parts(levels, within, between_variance(levels, within) if between else 0.0))
    return parts[0], parts[1]


def _undivided(before: Levels, after: Levels) -> tuple[Parts, Parts]:
    """Return both sides where the spread of networks is not known apart from that of sets."""
    one, other = (Parts(levels, 0.0, between_variance(levels, 0.0)) for levels in (before, after))
    return one, other


def fewest(future: Future, size: float, level: float, power: float) -> int | None:
    """Return the smallest number, from 0, that reaches a power; None where `CAP` does not."""

    def reaches(number: int) -> bool:
        return power_of(*future(number), size, level) >= power

    if reaches(0):
        return 0
    low, high = 0, 1
    while not reaches(high):
        if high >= CAP:
            return None
        low, high = high, min(2 * high, CAP)
    while high - low > 1:  # power grows with numbers
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def power_of(one: Estimate, other: Estimate, size: float, level: float) -> float:
    """Return the chance that Welch's two-sided test tells a true difference of a size.

    The mean over the variances that samples would show, each a scaled chi square, of the chance
    given them: a normal difference beyond the critical value of the degrees of freedom that these
    variances lead to. With many degrees of freedom that is noncentral Student's t with the true
    ones (`scipy.stats.nct`, which has no number at all for some arguments of few); of few, that
    promises up to a third more than samples keep. Zero where a side has none.
    """
    import numpy as np
    from scipy.special import gammaincinv, ndtr, stdtrit

    if not one.freedom or not other.freedom or one.variance is None or other.variance is None:
        return 0.0
    true = one.variance + other.variance
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    quantiles = (nodes + 1) / 2
    seen, shares = np.zeros((NODES, NODES)), np.zeros((NODES, NODES))
    sides = ((one.variance, one.freedom, (-1, 1)), (other.variance, other.freedom, (1, -1)))
    for variance, freedom, shape in sides:
        drawn = (2 * variance / freedom * gammaincinv(freedom / 2, quantiles)).reshape(shape)
        seen, shares = seen + drawn, shares + drawn**2 / freedom
    critical = -stdtrit(seen**2 / shares, level / 2) * np.sqrt(seen / true)
    far = size / math.sqrt(true)
    chances = ndtr(far - critical) + ndtr(-far - critical)
    return float(weights @ chances @ weights / 4)
