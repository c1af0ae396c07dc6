"""Means over synthetic sets and over networks, and how well each is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Levels: TypeAlias = "tuple[tuple[float, ...], ...]"
"""Accuracies of networks by synthetic set; no set is without one."""
SAME = 1e-12
"""Values that differ by no larger part of them differ by rounding: nothing was seen to vary."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and the estimated variance of it with its degrees of freedom."""

    mean: float
    variance: float | None
    """None where nothing was repeated."""
    freedom: int


def of_methods(levels: Levels) -> Estimate:
    """Return the mean over synthetic sets, as a sample of all that the method could have made.

    Accuracies follow `mean + a_set + e_network` with variances b and w. The sets' means, each
    counted once, have variance b + w * mean(1 / n) on average, and the square of their spread
    estimates just that without bias, whatever the numbers n of networks: over k sets, that of the
    mean is spread^2 / k with k - 1 degrees of freedom. These are the unweighted sums of squares of
    Thomas and Hultquist (1978), Annals of Statistics 6, 582, as in Burdick and Graybill (1992),
    Confidence Intervals on Variance Components; with equal n exactly the nested analysis of
    variance. Weights by estimated b and w would be narrower where n differ widely, but of two or
    three sets b is hardly known, and their 95 % intervals then hold in 87 % of cases only; these
    err to the safe side. One network a set is no special case: then b and w come together.
    """
    means = [statistics.fmean(repeats) for repeats in levels]
    if len(means) < 2:
        return Estimate(means[0], None, 0)
    return Estimate(statistics.fmean(means), variance(means) / len(means), len(means) - 1)


def of_sets(levels: Levels) -> Estimate:
    """Return the mean of these very sets, each counted once, over all networks they could train.

    The spread of networks is pooled over the sets; of one set it is its own.
    """
    means = [statistics.fmean(repeats) for repeats in levels]
    known = pooled_within(levels)
    if known is None:
        return Estimate(statistics.fmean(means), None, 0)
    within, freedom = known
    return Estimate(statistics.fmean(means), within * inverse(levels) / len(levels), freedom)


def freedom_of(one: Estimate, other: Estimate) -> float:
    """Return the degrees of freedom of a difference: Satterthwaite (1946), Welch (1947).

    From those of the side that varies less, at most, to those of both together. One side without
    any variance leaves those of the other.
    """
    parts = [(side.variance, side.freedom) for side in (one, other) if side.variance]
    total = sum(variance for variance, _ in parts)
    return total**2 / sum(variance**2 / freedom for variance, freedom in parts)


def pooled_within(*sides: Levels) -> tuple[float, int] | None:
    """Return the variance of networks of one set, pooled, and its degrees of freedom, or None."""
    sets = [repeats for side in sides for repeats in side if len(repeats) > 1]
    freedom = sum(len(repeats) - 1 for repeats in sets)
    if not freedom:
        return None
    squares = sum(variance(repeats) * (len(repeats) - 1) for repeats in sets)
    return squares / freedom, freedom


def variance(values: Sequence[float]) -> float:
    """Return the sample variance (n - 1) of at least two values; zero where they are the same."""
    if max(values) - min(values) <= SAME * max(map(abs, values)):
        return 0.0  # and not what rounding leaves, of which any difference were a thousandfold
    mean = statistics.fmean(values)  # `statistics.variance` reckons in fractions, exact and slow
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def inverse(levels: Levels, added: float = 0) -> float:
    """Return the mean of 1 / n over the sets, with networks added to each."""
    return statistics.fmean(1 / (len(repeats) + added) for repeats in levels)


def between_variance(levels: Levels, within: float) -> float:
    """Return the variance of sets: what their means vary beyond their networks; never negative."""
    means = [statistics.fmean(repeats) for repeats in levels]
    return max(0.0, variance(means) - within * inverse(levels))


def within_std(before: Levels, after: Levels) -> float | None:
    """Return how far networks of one set spread, over both sides; None without repeats."""
    known = pooled_within(before, after)
    return None if known is None else math.sqrt(known[0])


def between_std(before: Levels, after: Levels) -> float | None:
    """Return how far sets of one method spread beyond their networks, over both sides.

    None where it cannot be told from the spread of networks. Each side has several sets.
    """
    sides = (before, after)
    known = [(side, pooled_within(side) or pooled_within(before, after)) for side in sides]
    total = 0.0
    for side, within in known:
        if within is None:
            return None
        total += between_variance(side, within[0]) * (len(side) - 1)
    return math.sqrt(total / sum(len(side) - 1 for side in sides))
