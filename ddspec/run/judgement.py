"""Whether what was measured is what was published. Pure.

A number is reproduced where the 95 % interval of the measured mean lies within the band of the
published number, which is its tolerance to either side: a noisy measurement reproduces nothing.
Being above is off too, as it speaks of another method or another test. An order is reproduced where
the 95 % interval of the difference is above 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from ddspec.canon import Json
from ddspec.run.scores import Score, gain
from ddspec.spec.experiment import ExpectSpec

POINT = 0.01
"""The usual tolerance. Acc-DD's paper prints one row three times (CIFAR-100, 10 images a class, 5x:
45.6, 46.2 and 46.5 %), so papers agree with themselves to nine tenths of a point."""
DEVIATIONS = 2.0
"""Or so many published deviations, where that is more: one set of ours less the mean of 5 published
ones spreads by 1.1 of them, and 95 % of that lie within 2.15."""
SURE = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
"""Student's t for 95 % to both sides, by degrees of freedom from 1 on."""
SURE_OF_MANY = (1.95996, 2.37226, 2.82252)
"""Beyond, by powers of 1 / degrees of freedom: Cornish and Fisher's expansion for 95 %."""
SLACK = 1e-9
"""Accuracies are counts over images, and what they differ by is no exact binary fraction."""


class Verdict(StrEnum):
    """What a measurement says of an expectation."""

    REPRODUCED = "reproduced"
    WITHIN = "within tolerance"
    """The mean is, but its 95 % interval is not, or it is a single network."""
    UNSURE = "ahead, not surely"
    """Of an order: the mean is above, and the 95 % interval of the difference holds 0 or none is
    known."""
    OFF = "off"
    NOT_COMPARABLE = "not comparable"
    """It was published for another test than the spec's."""
    NOT_RUN = "not run yet"


MET = (Verdict.REPRODUCED, Verdict.WITHIN)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and the figures behind it, as fractions."""

    verdict: Verdict
    difference: float | None = None
    """Measured less published, or less what it is to be above; None where nothing compares."""
    error: float | None = None
    """Half of the 95 % interval of the difference; None of a single network."""
    band: float | None = None
    """How far off a published number may be; None of an order."""
    reason: str = ""
    """Why nothing compares."""

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "verdict": self.verdict.value,
            "difference": self.difference,
            "error_95": self.error,
            "band": self.band,
            **({"reason": self.reason} if self.reason else {}),
        }


def band_of(tolerance: float | None, std: float | None) -> float:
    """Return how far off a number may be, published with a deviation or without."""
    return max(POINT, DEVIATIONS * (std or 0.0)) if tolerance is None else tolerance


def student(freedom: float) -> float:
    """Return how many standard errors hold 95 %, of a mean with so many degrees of freedom."""
    whole = math.floor(freedom)  # fewer degrees make the interval wider
    if whole <= len(SURE):
        return SURE[whole - 1]
    normal, first, second = SURE_OF_MANY
    return normal + (first + second / whole) / whole


def judge(published: float, measured: Score, band: float) -> Judgement:
    """Compare a measured mean with a published number that it may be `band` away from."""
    difference = measured.mean - published
    repeats, standard_error = len(measured.accuracies), measured.standard_error
    error = None if standard_error is None else student(repeats - 1) * standard_error
    away = abs(difference) - SLACK
    if away > band:
        verdict = Verdict.OFF
    elif error is not None and away + error <= band:
        verdict = Verdict.REPRODUCED
    else:
        verdict = Verdict.WITHIN
    return Judgement(verdict, difference, error, band)


def judge_order(better: Score, worse: Score) -> Judgement:
    """Compare two measured means of which the first is to be above the other."""
    ahead = gain(better, worse)
    freedom = min(len(better.accuracies), len(worse.accuracies)) - 1
    of_one = ahead.standard_error
    error = None if of_one is None else student(freedom) * of_one
    if ahead.difference <= 0:
        verdict = Verdict.OFF
    elif error is not None and ahead.difference > error:
        verdict = Verdict.REPRODUCED
    else:
        verdict = Verdict.UNSURE
    return Judgement(verdict, ahead.difference, error)


def verdict_on(expected: ExpectSpec, measured: Score | None, other: Score | None) -> Judgement:
    """Return what a score says of an expectation; `other` is that which it is to be above.

    Both are of the expectation's set and network; None where nothing was evaluated yet.
    """
    if measured is not None and (reason := why_not(expected, measured.protocol, measured.on)):
        return Judgement(Verdict.NOT_COMPARABLE, reason=reason)
    if measured is None or (expected.above is not None and other is None):
        return Judgement(Verdict.NOT_RUN)
    if expected.accuracy is None:
        assert other is not None  # `above` is given where no accuracy is
        if measured.place != other.place:
            return Judgement(Verdict.NOT_COMPARABLE, reason=f"{expected.above} is judged otherwise")
        return judge_order(measured, other)
    return judge(expected.accuracy, measured, band_of(expected.tolerance, expected.std))


def why_not(expected: ExpectSpec, protocol: str, on: str) -> str:
    """Return why a number cannot be compared with accuracies by a protocol on a split, else ''."""
    if expected.protocol not in (None, protocol):
        return f"published by protocol {expected.protocol}, judged by {protocol}"
    if on != "test" and expected.accuracy is not None:
        return f"published for the test split, measured on the {on} split"
    return ""
