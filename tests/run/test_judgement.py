"""What was measured against what was published: verdicts by tolerance, error and repeats."""

from __future__ import annotations

import math

import pytest

from ddspec.run.judgement import (
    SURE,
    Verdict,
    band_of,
    judge,
    judge_order,
    student,
    verdict_on,
)
from ddspec.run.scores import Score
from ddspec.spec.experiment import ExpectSpec


def score(*accuracies: float, protocol: str = "idc", on: str = "test") -> Score:
    return Score("distilled", "convnet3", protocol, on, accuracies, planned=len(accuracies))


def expected(**given: object) -> ExpectSpec:
    return ExpectSpec.model_validate({"source": "a table", **given})


def within(bound: float, freedom: int) -> float:
    """Return how likely Student's t is between -bound and bound, by the trapezoid rule."""
    scale: float = (
        math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(freedom * math.pi)
    )
    steps = 4_000
    heights = [
        (1 + (bound * i / steps) ** 2 / freedom) ** (-(freedom + 1) / 2) for i in range(steps + 1)
    ]
    area = sum(heights) - (heights[0] + heights[-1]) / 2
    return 2 * scale * area * bound / steps


# Of 0.66 and 0.68 the mean is 0.67, the deviation sqrt(0.0002), the error of the mean 0.01, and
# half of the 95 % interval 12.706 times that. Of five values m - d, m, m, m, m + d the deviation is
# d / sqrt(2), the error of the mean d / sqrt(10), and half of the interval 2.776 times that.
@pytest.mark.parametrize(
    ("published", "accuracies", "band", "verdict"),
    [
        pytest.param(0.67, (0.668, 0.67, 0.67, 0.67, 0.672), 0.01, "reproduced", id="well inside"),
        pytest.param(0.67, (0.66, 0.68), 0.01, "within tolerance", id="two spread networks"),
        pytest.param(0.67, (0.67,), 0.01, "within tolerance", id="a single network"),
        pytest.param(
            0.679, (0.668, 0.67, 0.67, 0.67, 0.672), 0.01, "within tolerance", id="near the edge"
        ),
        pytest.param(0.67, (0.66,), 0.01, "within tolerance", id="at the edge below"),
        pytest.param(0.671, (0.681,), 0.01, "within tolerance", id="at the edge above"),
        pytest.param(0.67, (0.6599,), 0.01, "off", id="below"),
        pytest.param(0.67, (0.69, 0.69, 0.69), 0.01, "off", id="above"),
        pytest.param(0.67, (0.55, 0.65), 0.01, "off", id="noise is no excuse"),
        pytest.param(0.67, (0.67, 0.67), 0.0, "reproduced", id="to the digit"),
    ],
)
def test_a_number_is_judged_by_its_band(
    published: float, accuracies: tuple[float, ...], band: float, verdict: str
) -> None:
    found = judge(published, score(*accuracies), band)

    assert found.verdict == verdict
    assert found.difference == pytest.approx(sum(accuracies) / len(accuracies) - published)


def test_the_interval_of_few_networks_is_students() -> None:
    found = judge(0.67, score(0.66, 0.67, 0.68), 0.05)

    assert found.error == pytest.approx(4.303 * 0.01 / math.sqrt(3))


@pytest.mark.parametrize("freedom", [*range(1, len(SURE) + 4), 30, 99])
def test_the_bounds_of_student_are_right(freedom: int) -> None:
    # A bound is rounded to 0.0005, where the density is 0.06 at most on either side: 6e-5.
    assert within(student(freedom), freedom) == pytest.approx(0.95, abs=6e-5)


def test_of_very_many_networks_the_error_is_normal() -> None:
    assert math.erf(student(10**9) / math.sqrt(2)) == pytest.approx(0.95, abs=6e-5)


@pytest.mark.parametrize(
    ("tolerance", "std", "band"),
    [
        pytest.param(0.02, 0.5, 0.02, id="what the spec says"),
        pytest.param(0.0, 0.5, 0.0, id="nothing at all"),
        pytest.param(None, None, 0.01, id="a point"),
        pytest.param(None, 0.002, 0.01, id="a point where papers spread less"),
        pytest.param(None, 0.014, 0.028, id="two published deviations"),
    ],
)
def test_the_band_is_the_tolerance_or_a_law(
    tolerance: float | None, std: float | None, band: float
) -> None:
    assert band_of(tolerance, std) == pytest.approx(band)


@pytest.mark.parametrize(
    ("better", "worse", "verdict"),
    [
        pytest.param((0.6, 0.601), (0.4, 0.401), "reproduced", id="far ahead"),
        pytest.param((0.4, 0.5), (0.39, 0.49), "ahead, not surely", id="ahead by chance, maybe"),
        pytest.param((0.6,), (0.4, 0.41), "ahead, not surely", id="a single network"),
        pytest.param((0.4, 0.41), (0.6, 0.61), "off", id="behind"),
        pytest.param((0.4, 0.41), (0.4, 0.41), "off", id="even"),
    ],
)
def test_an_order_is_judged_by_the_error_of_the_difference(
    better: tuple[float, ...], worse: tuple[float, ...], verdict: str
) -> None:
    assert judge_order(score(*better), score(*worse)).verdict == verdict


def test_a_difference_is_known_as_well_as_by_the_fewer_networks() -> None:
    found = judge_order(score(0.60, 0.62), score(0.40, 0.41, 0.42))

    # variances 2e-4 and 1e-4, of means over two and three networks; one degree of freedom
    assert found.error == pytest.approx(12.706 * math.sqrt(2e-4 / 2 + 1e-4 / 3))


@pytest.mark.parametrize(
    ("given", "measured", "reason"),
    [
        pytest.param({"protocol": "dsa"}, score(0.67), "by protocol dsa", id="another protocol"),
        pytest.param({}, score(0.67, on="validation"), "the test split", id="another split"),
    ],
)
def test_numbers_of_other_tests_do_not_compare(
    given: dict[str, object], measured: Score, reason: str
) -> None:
    found = verdict_on(expected(accuracy=0.67, **given), measured, None)

    assert (found.verdict, found.difference) == (Verdict.NOT_COMPARABLE, None)
    assert reason in found.reason


def test_variants_that_are_judged_otherwise_have_no_order() -> None:
    found = verdict_on(expected(above="plain"), score(0.6), score(0.5, protocol="dc"))

    assert found.verdict is Verdict.NOT_COMPARABLE


def test_settings_may_be_put_in_order_on_the_validation_split() -> None:
    found = verdict_on(
        expected(above="plain"), score(0.6, on="validation"), score(0.5, on="validation")
    )

    assert found.verdict is Verdict.UNSURE


@pytest.mark.parametrize(
    ("given", "measured", "other"),
    [
        pytest.param({"accuracy": 0.67}, None, None, id="no evaluation"),
        pytest.param({"above": "plain"}, score(0.6), None, id="none of the other"),
    ],
)
def test_what_was_not_run_is_not_judged(
    given: dict[str, object], measured: Score | None, other: Score | None
) -> None:
    assert verdict_on(expected(**given), measured, other).verdict is Verdict.NOT_RUN


@pytest.mark.parametrize(
    "given", [{}, {"accuracy": 0.5, "above": "plain"}], ids=["neither", "both"]
)
def test_exactly_one_thing_is_expected(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="exactly one of `accuracy` and `above`"):
        expected(**given)
