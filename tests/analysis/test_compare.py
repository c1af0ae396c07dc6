"""Intervals against textbooks, and against simulation: fixed seeds, errors stated beside bounds."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ddspec_analysis.compare import Asked, answer, difference_of, holm
from ddspec_analysis.compare_power import CAP, fewest, more, power_of
from ddspec_analysis.compare_samples import Estimate, Levels

OLD = (0.661, 0.668, 0.671, 0.659, 0.664)
NEW = (0.672, 0.679, 0.668, 0.683)
"""Networks of one set on each side."""


def compared(before: Any, after: Any, **options: Any) -> dict[str, Any]:
    """Return the answer for one comparison."""
    given = [{"before": [list(one) for one in before], "after": [list(one) for one in after]}]
    found: Any = answer({"comparisons": given, **options})
    row: dict[str, Any] = found["comparisons"][0]
    return row


def drawn(
    rng: np.random.Generator, counts: tuple[int, ...], between: float, within: float
) -> Levels:
    """Return accuracies around 0.5 of sets with so many networks each."""
    sets = [(0.5 + rng.normal(0, between), n) for n in counts]
    return tuple(tuple(mean + rng.normal(0, within, n)) for mean, n in sets)


def drawn_sides(
    rng: np.random.Generator, counts: tuple[tuple[int, ...], ...], between: tuple[float, float]
) -> tuple[Levels, Levels]:
    """Return accuracies of both sides, which do not differ in truth."""
    one, other = (drawn(rng, counts[i], between[i], 0.01) for i in range(2))
    return one, other


def covers_zero(before: Levels, after: Levels) -> bool:
    """Return whether the interval holds the true difference, none."""
    found = difference_of(Asked(before, after, same=False))
    half = found.half(0.95)
    assert half is not None
    return abs(found.difference) <= half


# --- one level ------------------------------------------------------------------------------------


def test_networks_of_one_set_each_are_compared_by_welchs_test() -> None:
    expected = stats.ttest_ind(NEW, OLD, equal_var=False)
    interval = expected.confidence_interval(0.95)

    row = compared([OLD], [NEW])

    assert (row["of"], row["test"]) == ("sets", "welch")
    assert row["p"] == pytest.approx(expected.pvalue, rel=1e-12)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high), rel=1e-12)


def test_welchs_own_example_gives_the_degrees_of_freedom_of_textbooks() -> None:
    # Snedecor and Cochran's form: v = (a + b)^2 / (a^2 / (n - 1) + b^2 / (m - 1)), done by hand
    one, other = (17.0, 19.0, 21.0), (10.0, 20.0, 30.0, 40.0)
    a, b = 4 / 3, (500 / 3) / 4
    v = (a + b) ** 2 / (a**2 / 2 + b**2 / 3)

    row = compared([one], [other])

    assert row["difference"] == 6
    half = stats.t.ppf(0.975, v) * math.sqrt(a + b)
    assert row["high"] - row["difference"] == pytest.approx(half, rel=1e-12)


def test_a_single_network_on_a_side_has_no_interval() -> None:
    row = compared([OLD], [(0.9,)])

    assert (row["test"], row["low"], row["high"], row["p"]) == (None, None, None, None)
    assert row["verdict"] == "cannot tell"


def test_one_network_on_either_side_cannot_even_say_how_many_would_tell() -> None:
    row = compared([(0.6,)], [(0.9,)])

    assert (row["verdict"], row["more"], row["within_std"]) == ("cannot tell", None, None)


FLAT = {
    "networks": ([(0.9, 0.9, 0.9)], [(1.0, 1.0, 1.0)]),
    # sums of floats: the mean of three times 0.0009 is not 0.0009
    "mean-rounded": ([(0.0009,) * 3], [(0.5, 0.5)]),
    "sets": ([(0.0009,) * 3, (0.0009,) * 2], [(0.5,), (0.5,)]),
    "sets-of-one-mean": ([(0.1, 0.1), (0.1, 0.1)], [(0.7,) * 3, (0.7,)]),
}


@pytest.mark.parametrize(("before", "after"), FLAT.values(), ids=FLAT)
def test_what_never_varied_has_an_unknown_spread_and_not_none(before: Any, after: Any) -> None:
    row = compared(before, after)

    assert (row["test"], row["verdict"], row["more"]) == (None, "cannot tell", None)
    assert row["within_std"] in (None, 0.0)
    assert row["between_std"] in (None, 0.0)


def test_one_side_that_never_varied_leaves_the_spread_of_the_other() -> None:
    row = compared([(0.9, 0.9, 0.9)], [(0.98, 1.0, 0.99)])

    expected = stats.ttest_1samp((0.98, 1.0, 0.99), 0.9)
    assert row["p"] == pytest.approx(expected.pvalue, rel=1e-12)
    assert row["verdict"] == "ahead"


def test_one_set_against_several_speaks_of_these_sets() -> None:
    several = ((0.70, 0.72), (0.75, 0.73), (0.66, 0.68))
    # the mean of three means; networks spread by (4 + 4 + 4) / 2 / 3 1e-4 = 2e-4 around their sets
    a, b = np.var(OLD, ddof=1) / 5, 2e-4 / 6
    v = (a + b) ** 2 / (a**2 / 4 + b**2 / 3)

    row = compared([OLD], several)

    assert (row["of"], row["test"]) == ("sets", "welch")
    assert row["difference"] == pytest.approx(0.7066666667 - np.mean(OLD))
    half = stats.t.ppf(0.975, v) * math.sqrt(a + b)
    assert row["high"] - row["difference"] == pytest.approx(half, rel=1e-9)


def test_sets_with_unlike_numbers_of_networks_count_alike() -> None:
    several = ((0.70, 0.72), (0.75, 0.73, 0.74, 0.76, 0.72, 0.74))
    # means .71 and .74; squares 2e-4 and 1e-3 around them, with 1 + 5 degrees of freedom
    a, b = np.var(OLD, ddof=1) / 5, (12e-4 / 6) * (1 / 2 + 1 / 6) / 4
    v = (a + b) ** 2 / (a**2 / 4 + b**2 / 6)

    row = compared([OLD], several)

    assert row["difference"] == pytest.approx(0.725 - np.mean(OLD))
    half = stats.t.ppf(0.975, v) * math.sqrt(a + b)
    assert row["high"] - row["difference"] == pytest.approx(half, rel=1e-9)


# --- both levels ----------------------------------------------------------------------------------


def test_a_balanced_nested_design_is_its_analysis_of_variance() -> None:
    before = ((0.60, 0.62), (0.66, 0.64), (0.61, 0.59))
    after = ((0.70, 0.72), (0.71, 0.73), (0.78, 0.76))
    # sets' means .61 .65 .60 and .71 .72 .77; mean squares of sets 2 * .0007 and 2 * .00103333
    mean_squares = (2 * 0.0007, 2 * 0.0031 / 3)
    error = math.sqrt(sum(mean_squares) / 6)
    parts = [square / 6 for square in mean_squares]
    freedom = sum(parts) ** 2 / sum(part**2 / 2 for part in parts)

    row = compared(before, after)

    assert (row["of"], row["test"]) == ("methods", "hierarchical")
    assert row["difference"] == pytest.approx(2.2 / 3 - 0.62)
    assert row["p"] == pytest.approx(2 * stats.t.sf(row["difference"] / error, freedom), rel=1e-9)
    # pairs of networks differ by .02, so .0002 each; sets beyond them: (.0007 + .00103) / 2
    assert row["within_std"] == pytest.approx(math.sqrt(2e-4))
    assert row["between_std"] == pytest.approx(math.sqrt((0.0007 + 0.0031 / 3) / 2 - 1e-4))


def test_more_networks_of_few_sets_do_not_make_a_method_certain() -> None:
    rng = np.random.default_rng(1)
    means = ((0.60, 0.64), (0.66, 0.68))
    few, many = (
        [[tuple(mean + rng.normal(0, 0.002, n)) for mean in side] for side in means]
        for n in (3, 300)
    )

    widths = [row["high"] - row["low"] for row in (compared(*few), compared(*many))]

    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_one_network_a_set_speaks_of_methods_and_cannot_divide_their_spread() -> None:
    row = compared([(0.6,), (0.61,), (0.62,)], [(0.7,), (0.72,)])

    expected = stats.ttest_ind((0.7, 0.72), (0.6, 0.61, 0.62), equal_var=False)
    assert row["of"] == "methods"
    assert row["p"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert (row["between_std"], row["within_std"]) == (None, None)


def test_a_set_with_many_networks_counts_as_one_set() -> None:
    row = compared([(0.6,) * 50, (0.8,)], [(0.7, 0.71), (0.72, 0.7)])

    assert row["difference"] == pytest.approx(0.7075 - 0.7)


DESIGNS = {
    "two-sets-each": ((1, 1), (1, 1)),
    "two-against-five": ((3, 3), (3, 3, 3, 3, 3)),
    "three-with-two": ((2, 2, 2), (2, 2, 2)),
    "five-with-five": ((5,) * 5, (5,) * 5),
    "four-against-three": ((1,) * 4, (5,) * 3),
}
SPREADS = {"equal-sets": (0.0, 0.0), "sets-vary": (0.01, 0.01), "one-varies": (0.002, 0.02)}
TRIALS = 1500
BINOMIAL = math.sqrt(0.05 * 0.95 / TRIALS)
"""0.56 %: how far a coverage of 95 % is off in so many trials."""


@pytest.mark.parametrize("between", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("counts", DESIGNS.values(), ids=DESIGNS)
def test_intervals_of_methods_hold_as_often_as_they_say(
    counts: tuple[tuple[int, ...], tuple[int, ...]], between: tuple[float, float]
) -> None:
    rng = np.random.default_rng(7)
    sides = (drawn_sides(rng, counts, between) for _ in range(TRIALS))

    covered = np.mean([covers_zero(*side) for side in sides])

    # Satterthwaite's degrees of freedom hold in 93.5 % (two against five) to 97.7 % of cases (two
    # against two), as 40,000 trials say; three binomial errors beside
    assert 0.935 - 3 * BINOMIAL < covered < 0.977 + 3 * BINOMIAL


def test_intervals_of_sets_with_very_different_networks_err_to_the_safe_side() -> None:
    rng = np.random.default_rng(3)
    sides = (drawn_sides(rng, ((1, 1, 50), (1, 50)), (0.003, 0.003)) for _ in range(TRIALS))

    covered = np.mean([covers_zero(*side) for side in sides])

    assert covered > 0.95 - 3 * BINOMIAL


# --- correction -----------------------------------------------------------------------------------


def naive_holm(ps: list[float], level: float) -> list[bool]:
    """Return what is told by stepping down from the smallest: Holm's procedure as he wrote it."""
    told = [False] * len(ps)
    left = list(range(len(ps)))
    while left:
        best = min(left, key=lambda index: ps[index])
        if ps[best] > level / len(left):
            break
        told[best] = True
        left.remove(best)
    return told


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_holms_correction_tells_what_his_procedure_tells(level: float) -> None:
    rng = np.random.default_rng(5)
    for size in (1, 2, 7, 40):
        ps = [float(p) for p in rng.uniform(0, 1, size) ** 4]

        adjusted, _ = holm(ps, level)

        assert [p is not None and p <= level for p in adjusted] == naive_holm(ps, level)


def test_holms_adjusted_values_are_known() -> None:
    adjusted, levels = holm([0.01, 0.04, None, 0.03, 0.005], 0.05)

    assert adjusted == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06), 0.02]
    assert levels == pytest.approx([0.05 / 3, 0.05, 0.0125, 0.025, 0.0125])


def test_verdicts_of_a_table_are_corrected_over_all_of_it() -> None:
    one = {"before": [list(OLD)], "after": [list(NEW)]}
    noise = {"before": [list(OLD)], "after": [list(OLD[:3])]}

    alone: Any = answer({"comparisons": [one]})
    together: Any = answer({"comparisons": [one, *[noise] * 9]})

    assert alone["comparisons"][0]["verdict"] == "ahead"
    assert together["comparisons"][0]["verdict"] == "cannot tell"
    assert together["comparisons"][0]["p"] == alone["comparisons"][0]["p"]
    assert together["corrected_over"] == 10


def test_the_same_runs_are_one_measurement_and_no_comparison() -> None:
    same = {"before": [list(OLD)], "after": [list(OLD)], "same": True}
    found: Any = answer({"comparisons": [same, {"before": [list(OLD)], "after": [list(NEW)]}]})

    row = found["comparisons"][0]
    assert (row["verdict"], row["difference"], row["p"], row["p_adjusted"]) == (
        "same runs", 0.0, None, None,
    )  # fmt: skip
    assert found["corrected_over"] == 1


# --- invariances ----------------------------------------------------------------------------------

BEFORE: Levels = ((0.60, 0.62, 0.61), (0.66, 0.64))
AFTER: Levels = ((0.70, 0.72), (0.71, 0.77, 0.74), (0.69, 0.70))


def test_swapped_sides_turn_a_difference_around() -> None:
    there, back = compared(BEFORE, AFTER), compared(AFTER, BEFORE)

    assert (back["difference"], back["low"], back["high"]) == pytest.approx(
        (-there["difference"], -there["high"], -there["low"])
    )
    assert back["p"] == pytest.approx(there["p"])
    assert {there["verdict"], back["verdict"]} in ({"ahead", "behind"}, {"cannot tell"})


def test_what_is_added_to_all_accuracies_changes_nothing() -> None:
    moved = [[[x + 0.1 for x in one] for one in side] for side in (BEFORE, AFTER)]

    row, plain = compared(*moved), compared(BEFORE, AFTER)
    assert [row[key] for key in ("difference", "low", "high", "p")] == pytest.approx(
        [plain[key] for key in ("difference", "low", "high", "p")], rel=1e-6
    )


def test_a_unit_scales_the_interval_and_leaves_the_p_value() -> None:
    scaled = [[[100 * x for x in one] for one in side] for side in (BEFORE, AFTER)]

    row, plain = compared(*scaled), compared(BEFORE, AFTER)
    assert (row["low"], row["high"], row["p"]) == pytest.approx(
        (100 * plain["low"], 100 * plain["high"], plain["p"])
    )


def test_the_order_of_sets_and_networks_changes_nothing() -> None:
    plain = compared(BEFORE, AFTER)

    for sets in permutations(AFTER):
        row = compared(BEFORE, [tuple(reversed(one)) for one in sets])
        assert (row["low"], row["high"], row["p"]) == pytest.approx(
            (plain["low"], plain["high"], plain["p"])
        )


def test_an_interval_leaves_zero_out_where_the_p_value_says_so() -> None:
    rng = np.random.default_rng(11)
    for _ in range(60):
        row = compared(drawn(rng, (2, 2), 0.01, 0.01), drawn(rng, (3, 3, 3), 0.01, 0.01))

        assert (row["p"] < 0.05) == (not row["low"] <= 0 <= row["high"])


# --- what would tell ------------------------------------------------------------------------------


def test_power_of_many_is_that_of_noncentral_students_t() -> None:
    for freedom, far in ((200, 1.0), (500, 2.5), (2000, 3.0)):
        both, critical = 2.0 * freedom, stats.t.isf(0.025, 2 * freedom)
        expected = stats.nct.sf(critical, both, far) + stats.nct.cdf(-critical, both, far)
        half = Estimate(0.0, 0.5, freedom)

        # Welch's degrees of freedom lie by 1 in `freedom` below those of both
        assert power_of(half, half, far, 0.05) == pytest.approx(expected, abs=0.5 / freedom)


SAMPLES = {
    "pairs": ((2, 1.0), (2, 1.0), 6.0, 0.05),
    "threes": ((3, 1.0), (3, 1.0), 2.5, 0.05),
    "threes-in-a-table": ((3, 1.0), (3, 1.0), 6.0, 0.05 / 20),
    "two-against-five": ((2, 1.0), (5, 2.0), 4.0, 0.05),
    "no-difference": ((4, 1.0), (4, 1.0), 0.0, 0.05),
    "one-steady": ((8, 1e-9), (6, 1.5), 2.0, 0.05),
    "many": ((30, 1.0), (40, 1.5), 0.8, 0.05),
}


@pytest.mark.parametrize(("one", "other", "size", "level"), SAMPLES.values(), ids=SAMPLES)
def test_power_is_what_a_simulation_of_the_test_says(
    one: tuple[int, float], other: tuple[int, float], size: float, level: float
) -> None:
    rng = np.random.default_rng(2)
    drawn = [rng.normal(0, spread, (20_000, n)) for n, spread in (one, other)]
    tests = stats.ttest_ind(drawn[0], drawn[1] + size, axis=1, equal_var=False)

    sides = [Estimate(0.0, spread**2 / n, n - 1) for n, spread in (one, other)]
    forecast = power_of(sides[0], sides[1], size, level)

    # three binomial errors of at most 0.36 %
    assert forecast == pytest.approx(np.mean(tests.pvalue < level), abs=0.011)


def test_the_fewest_are_found_as_by_trying_one_after_another() -> None:
    def future(number: int) -> tuple[Estimate, Estimate]:
        return Estimate(0, 1 / (2 + number), 1 + number), Estimate(0, 2 / (3 + number), 2 + number)

    for size in (0.4, 0.9, 2.0, 8.0):
        tried = next(n for n in range(CAP) if power_of(*future(n), size, 0.05) >= 0.8)

        assert fewest(future, size, 0.05, 0.8) == tried


def test_as_many_more_networks_as_it_says_would_tell_most_times() -> None:
    rng = np.random.default_rng(4)
    before, after = ((0.62, 0.64, 0.63, 0.65),), ((0.64, 0.66, 0.65, 0.63),)
    plan = more(before, after, of="sets", size=0.01, level=0.05, power=0.8)
    assert plan is not None
    assert plan.what == "repeats"
    assert plan.n is not None
    spread = float(np.std(before[0], ddof=1))
    one = rng.normal(0.0, spread, (5000, 4 + plan.n))
    other = rng.normal(0.01, spread, (5000, 4 + plan.n))

    told = np.mean(stats.ttest_ind(one, other, axis=1, equal_var=False).pvalue < 0.05)

    # 80 % and up to what one network more brings; three binomial errors of 0.57 % beside
    assert 0.8 - 0.017 < told < 0.83 + 0.017


def test_as_many_more_sets_as_it_says_would_tell_most_times() -> None:
    rng = np.random.default_rng(6)
    before, after = ((0.60,), (0.62,), (0.64,)), ((0.63,), (0.65,), (0.64,))
    plan = more(before, after, of="methods", size=0.02, level=0.05, power=0.8)
    assert plan is not None
    assert plan.what == "replicates"
    assert plan.n is not None
    one = rng.normal(0.0, 0.02, (5000, 3 + plan.n))
    other = rng.normal(0.02, 0.01, (5000, 3 + plan.n))

    told = np.mean(stats.ttest_ind(one, other, axis=1, equal_var=False).pvalue < 0.05)

    # 80 % and up to what one set more brings; three binomial errors of 0.57 % beside
    assert 0.8 - 0.017 < told < 0.85 + 0.017


def test_more_networks_of_the_same_sets_tell_methods_apart_as_often_as_it_says() -> None:
    rng = np.random.default_rng(8)
    before = ((0.57, 0.65), (0.67, 0.59), (0.58, 0.66))
    after = ((0.59, 0.67), (0.68, 0.60), (0.58, 0.66))
    plan = more(before, after, of="methods", size=0.03, level=0.05, power=0.8)
    assert plan is not None
    assert (plan.what, plan.n is None) == ("repeats", False)
    # sets differ no more than their networks explain, so that all that varies is networks
    spread = math.sqrt(0.0032 / (2 + (plan.n or 0)))
    one, other = rng.normal(0.0, spread, (5000, 3)), rng.normal(0.03, spread, (5000, 3))

    told = np.mean(stats.ttest_ind(one, other, axis=1, equal_var=False).pvalue < 0.05)

    # 80 % and up to what one network more brings; three binomial errors of 0.57 % beside
    assert 0.8 - 0.017 < told < 0.83 + 0.017


def test_sets_that_differ_more_than_networks_ask_for_sets() -> None:
    before = ((0.60, 0.601), (0.64, 0.641), (0.62, 0.621))
    after = ((0.62, 0.621), (0.65, 0.651), (0.64, 0.641))

    row = compared(before, after)

    assert (row["verdict"], row["more"]["what"]) == ("cannot tell", "replicates")


def test_many_networks_of_sets_that_hardly_differ_ask_for_sets_all_the_same() -> None:
    # sets vary by 4.4e-5 beyond networks, these by 2.5e-4 each, and by 2e-5 in the mean of twelve
    base = (0.60, 0.63) * 6
    levels = tuple(tuple(x + off for x in base) for off in (0.0, 0.008, 0.016))

    plan = more(levels, levels, of="methods", size=0.025, level=0.05, power=0.8)

    assert plan is not None
    assert plan.what == "replicates"  # though 22 more networks would tell as well


def test_networks_of_several_sets_are_known_by_what_is_left_of_each() -> None:
    # four networks of two sets leave two degrees of freedom, with m more of each 2 + 2 m
    one, two = ((0.60, 0.64),), ((0.61, 0.65), (0.66, 0.70))
    plan = more(one, two, of="sets", size=0.06, level=0.05, power=0.8)
    assert plan is not None

    def future(m: int) -> tuple[Estimate, Estimate]:
        return (
            Estimate(0.0, 8e-4 / (2 + m), 1 + m),
            Estimate(0.0, 8e-4 / (2 + m) / 2, 2 + 2 * m),
        )

    tried = next(m for m in range(CAP) if power_of(*future(m), 0.06, 0.05) >= 0.8)
    assert (plan.what, plan.n) == ("repeats", tried)


def test_each_side_is_taken_to_spread_as_its_own_networks_do() -> None:
    steady, wild = ((0.60, 0.602, 0.604),), ((0.60, 0.65, 0.70),)
    plan = more(steady, wild, of="sets", size=0.07, level=0.05, power=0.8)
    assert plan is not None

    def future(m: int) -> tuple[Estimate, Estimate]:
        return Estimate(0.0, 4e-6 / (3 + m), 2 + m), Estimate(0.0, 2.5e-3 / (3 + m), 2 + m)

    assert plan.n == next(m for m in range(CAP) if power_of(*future(m), 0.07, 0.05) >= 0.8)


def test_where_no_number_of_networks_tells_sets_are_asked_for() -> None:
    # sets vary by 0.0009 beyond their networks, and the mean of two networks by 0.0016: these have
    # most of it, and yet no number of them tells 0.03 between two times three sets
    before = ((0.53, 0.61), (0.67, 0.59), (0.63, 0.71))
    after = tuple(tuple(x + 0.03 for x in one) for one in before)

    row = compared(before, after)

    assert row["more"]["what"] == "replicates"
    assert row["more"]["n"] > 0


def test_a_large_difference_asks_for_what_would_tell_it() -> None:
    row = compared([(0.60, 0.70)], [(0.66, 0.80)], least=0.01)

    assert (row["verdict"], row["more"]["size"]) == ("cannot tell", pytest.approx(0.08))


def test_networks_that_differ_more_than_sets_ask_for_networks() -> None:
    before = ((0.57, 0.65), (0.67, 0.59), (0.58, 0.66))
    after = ((0.59, 0.67), (0.68, 0.60), (0.58, 0.66))

    row = compared(before, after)

    assert (row["verdict"], row["more"]["what"]) == ("cannot tell", "repeats")


def test_a_small_difference_asks_for_what_would_tell_the_least_worth_telling() -> None:
    row = compared([(0.60, 0.62, 0.64)], [(0.601, 0.621, 0.641)], least=0.02)

    assert row["more"]["size"] == 0.02
    expected = more(
        ((0.60, 0.62, 0.64),), ((0.601, 0.621, 0.641),), of="sets", size=0.02, level=0.05, power=0.8
    )
    assert expected is not None
    assert row["more"]["n"] == expected.n


def test_none_more_where_those_there_are_would_have_told() -> None:
    steady = [(0.600, 0.601, 0.602, 0.601, 0.600)]

    row = compared(steady, [(0.601, 0.600, 0.602, 0.601, 0.601)])

    assert row["more"] == {"what": "repeats", "n": 0, "size": 0.01}


def test_beyond_a_thousand_it_only_says_so() -> None:
    row = compared([(0.2, 0.8, 0.5)], [(0.3, 0.7, 0.502)], least=0.001)

    assert row["more"] == {"what": "repeats", "n": None, "size": 0.001}


# --- questions ------------------------------------------------------------------------------------

BAD = {
    "no-question": None,
    "no-comparisons": {},
    "unknown-key": {"comparisons": [], "level": 1},
    "no-side": {"comparisons": [{"before": [[0.1]]}]},
    "no-replicate": {"comparisons": [{"before": [], "after": [[0.1]]}]},
    "no-accuracy": {"comparisons": [{"before": [[]], "after": [[0.1]]}]},
    "flat": {"comparisons": [{"before": [0.1], "after": [[0.1]]}]},
    "text": {"comparisons": [{"before": [["0.1"]], "after": [[0.1]]}]},
    "truth": {"comparisons": [{"before": [[True]], "after": [[0.1]]}]},
    "infinite": {"comparisons": [{"before": [[math.inf]], "after": [[0.1]]}]},
    "confidence": {"comparisons": [], "confidence": 1.0},
    "power": {"comparisons": [], "power": 0},
    "least": {"comparisons": [], "least": "1"},
}


@pytest.mark.parametrize("question", BAD.values(), ids=BAD)
def test_a_question_that_makes_no_sense_is_refused(question: Any) -> None:
    with pytest.raises(ValueError, match=r"must|needs|no accuracy|without"):
        answer(question)


def test_no_comparison_is_no_answer_to_correct() -> None:
    assert answer({"comparisons": []}) == {"comparisons": [], "corrected_over": 0}
