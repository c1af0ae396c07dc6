"""Two results side by side, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ddspec.console.scores_view import render_scores, scores_json
from ddspec.run.evidence import Evidence
from ddspec.run.inference import Inference, Inferences, More, infer
from ddspec.run.pairs import Paired, paired
from ddspec.run.scores import Score
from ddspec_analysis.tools import tool


def score(name: str, *accuracies: float, **fields: Any) -> Score:
    """Return accuracies of a set under the protocol `idc`."""
    whole = Score(name, "convnet3", "idc", "test", accuracies, planned=len(accuracies))
    return replace(whole, **fields)


def of(*scores: Score, **fields: Any) -> Evidence:
    """Return results that tell no more than scores, but what is given."""
    facts = {"protocol": "p", "test_set": "t", "images_per_class": 1, **fields}
    return Evidence("x.yaml", "x", scores=scores, **facts)


def text(found: Paired, *, force: bool = False) -> str:
    """Return what is printed where statistics are installed."""
    told = infer(found.pairs, force=force, ask=lambda name, question: tool(name)(question))
    return render_scores(found, told)


def cells(lines: list[str]) -> list[list[str]]:
    """Return the cells of rows."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


BEFORE = of(score("distilled", 0.80, 0.82), score("random", 0.70))
AFTER = of(score("distilled", 0.90, 0.92, 0.91), score("random", 0.71), score("full", 0.99))


def test_results_stand_side_by_side_with_interval_and_verdict() -> None:
    shown = text(paired([BEFORE], [AFTER]))

    head, *rows = shown.split("\n")
    assert head == " convnet3 by protocol idc, on the test split; networks in brackets"
    # scipy.stats.ttest_ind of the two samples: .1 +- 3.1824.. * .011547 (df 1.68 by Satterthwaite)
    assert cells(rows[:3]) == [
        ["set", "before %", "after %", "difference", "95 % interval", "verdict"],
        ["distilled", "81.00 ± 1.41 (2)", "91.00 ± 1.00 (3)", "+10.00", INTERVAL, "ahead"],
        ["random", "70.00 (1)", "71.00 (1)", "+1.00", "-", "cannot tell"],
    ]
    assert rows[3:] == [
        "",
        " verdicts   of after against before · over networks, so of these very sets and no methods"
        " (Welch)",
        " cannot tell random: one network a side shows no spread, two or more would",
        " only after has results of full on convnet3",
    ]


def _interval() -> str:
    from scipy import stats

    found = stats.ttest_ind((0.90, 0.92, 0.91), (0.80, 0.82), equal_var=False)
    interval = found.confidence_interval(0.95)
    return f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}"


INTERVAL = _interval()


def test_without_statistics_errors_stand_where_intervals_would() -> None:
    # spreads .014142 and .01: errors of the means .01 and .0057735, together .011547
    head, *rows = render_scores(paired([BEFORE], [AFTER]), None).split("\n")

    assert head.startswith(" convnet3 by protocol idc")
    assert cells(rows)[:3] == [
        ["set", "before %", "after %", "difference", "standard error"],
        ["distilled", "81.00 ± 1.41 (2)", "91.00 ± 1.00 (3)", "+10.00", "1.15"],
        ["random", "70.00 (1)", "71.00 (1)", "+1.00", "-"],
    ]


def test_the_same_evaluations_are_no_second_measurement() -> None:
    one = of(score("random", 0.4, 0.6, keys=("a", "b")))
    grown = of(score("random", 0.4, 0.6, 0.5, keys=("a", "b", "c")))

    assert cells(text(paired([one], [one])).split("\n"))[2][3:] == ["-", "-", "same runs"]
    shown = text(paired([one], [grown]))
    assert cells(shown.split("\n"))[2][3:] == ["+0.00", "-", "same runs"]
    assert shown.endswith(" same runs  random: in part, 2 of them")


def test_accuracies_that_are_not_alike_are_not_compared_unless_forced() -> None:
    one = of(score("random", 0.3, 0.31, 0.32))
    other = of(score("random", 0.4, 0.6, 0.5, protocol="dc"), protocol="q", images_per_class=10)

    shown, forced = text(paired([one], [other])), text(paired([one], [other]), force=True)

    assert cells(shown.split("\n"))[2][3:] == ["-", "-", "not alike"]
    reason = " random: protocol idc before, dc after, images per class 1 before, 10 after"
    assert shown.endswith(f" not alike {reason}")
    assert cells(forced.split("\n"))[2][3] == "+19.00"
    assert cells(forced.split("\n"))[2][5].endswith(", not alike")
    assert forced.endswith(f" not alike {reason}")


def test_variants_share_a_block_and_baselines_a_row() -> None:
    shared = score("random", 0.4, 0.5, keys=("r",)), score("random", 0.5, 0.6, keys=("s",))
    before = [of(score("distilled", 0.6, 0.61), shared[0], variant=x) for x in ("dc", "dm")]
    after = [of(score("distilled", 0.7, 0.71), shared[1], variant=x) for x in ("dc", "dm")]

    lines = text(paired(before, after)).split("\n")

    assert lines[0].startswith(" distilled on convnet3 by protocol idc")
    assert [line[0] for line in cells(lines[1:4])] == ["variant", "dc", "dm"]
    assert lines[5].startswith(" random on convnet3")
    assert cells(lines[7:8])[0][0] == "dc and 1 more"
    assert any("corrected for 3 tests (Holm)" in line for line in lines)


def test_long_names_make_no_long_lines() -> None:
    names = [f"{'long-name-of-a-variant-' * 2}{number}" for number in range(3)]
    before = [of(score("distilled", 0.61, 0.6, protocol="p" * 80), variant=one) for one in names]
    after = [
        of(score("distilled", 0.7, 0.75, network="n" * 70), score("full", 0.9), variant=one)
        for one in names
    ]
    same = [of(score("distilled", 0.7, 0.75, protocol="q" * 80), variant=one) for one in names]

    for found in (paired(before, after), paired(before, same)):
        for force in (False, True):
            assert all(len(line) <= 100 for line in text(found, force=force).split("\n"))


def test_replicates_speak_of_methods() -> None:
    before, after = (
        [
            of(
                score("distilled", base + seed / 100, base + seed / 100 + 0.01),
                variant=f"seed-{seed}",
                seed=seed,
                method=method,
            )
            for seed in range(3)
        ]
        for base, method in ((0.5, "m"), (0.8, "n"))
    )

    lines = text(paired(before, after)).split("\n")

    assert lines[0].endswith("split; sets x networks in brackets")
    # means .505 .515 .525 of two networks each
    assert cells(lines[2:3])[0][:2] == ["distilled", "51.50 ± 1.00 (3x2)"]
    assert "over synthetic sets, so of the methods" in lines[-1]


def test_a_table_of_both_levels_says_which_rows_speak_of_sets() -> None:
    before = [
        of(
            score("distilled", 0.5 + seed / 100, 0.52),
            seed=seed,
            method="m",
            variant=f"seed-{seed}",
        )
        for seed in (0, 1)
    ]
    after = [
        of(
            score("distilled", 0.7 + seed / 100, 0.73),
            seed=seed,
            method="n",
            variant=f"seed-{seed}",
        )
        for seed in (0, 1)
    ]
    before[0] = replace(before[0], scores=(*before[0].scores, score("init", 0.4, 0.41)))
    after[0] = replace(after[0], scores=(*after[0].scores, score("init", 0.42, 0.45)))

    shown = " ".join(text(paired(before, after)).split())

    assert "over synthetic sets, so of the methods (hierarchical)" in shown
    assert "init: over networks, so of these very sets and no methods (Welch)" in shown


NOTHING = Inference(0.004, None, None, None, None, "sets", None, None, None, None, "cannot tell")
MORE = {
    "repeats": (0.02, More("repeats", 7, 0.02), "7 more networks a side would"),
    "one": (0.02, More("repeats", 1, 0.02), "1 more network a side would"),
    "least": (0.004, More("repeats", 7, 0.01), "7 more networks a side would tell 1 point"),
    "replicates": (0.004, More("replicates", 2, 0.02), "2 more seeds a side would tell 2 points"),
    "none": (0.004, More("repeats", 0, 0.01), "1 point would have shown"),
    "cap": (
        0.02,
        More("replicates", None, 0.02),
        "over 1,000 more seeds a side would",
    ),
    "flat": (0.02, None, "nothing varied, so nobody knows the spread"),
}


@pytest.mark.parametrize(("difference", "more", "words"), MORE.values(), ids=MORE)
def test_what_would_tell_is_said_in_words(difference: float, more: More | None, words: str) -> None:
    found = paired([of(score("init", 0.5, 0.6))], [of(score("init", 0.5, 0.7))])
    told = Inferences((replace(NOTHING, difference=difference, more=more),), 1)

    assert f" cannot tell init: {words}" in render_scores(found, told).split("\n")


def test_results_of_one_side_only_are_named() -> None:
    found = paired(
        [of(score("random", 0.5))],
        [of(score("init", 0.5), score("full", 0.9))],
    )

    assert text(found).split("\n") == [
        " only before has results of random on convnet3",
        " only after has results of init on convnet3, full on convnet3",
    ]


def test_a_file_that_tells_no_facts_says_so() -> None:
    old = Evidence("old.json", "x", scores=(score("random", 0.5, 0.6),))

    shown = text(paired([old], [of(score("random", 0.5, 0.7))]))

    assert " by name    random: what protocol, test set, images per class consist of" in shown


def test_without_results_nothing_is_shown() -> None:
    assert render_scores(paired([], []), None) == ""


def test_what_a_file_calls_its_sets_steers_no_terminal() -> None:
    hostile = of(score("dis\x1b[31m", 0.5, 0.6, network="a\nb", protocol="p\x07"))

    shown = text(paired([hostile], [hostile]))

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert len(shown.split("\n")) == 6


@pytest.mark.parametrize("force", [False, True], ids=["refused", "forced"])
def test_json_has_no_difference_of_what_does_not_compare(force: bool) -> None:
    found = paired([of(score("random", 0.3, 0.31))], [of(score("random", 0.5, 0.7), protocol="q")])
    told = infer(found.pairs, force=force, ask=lambda name, question: tool(name)(question))

    (row,) = scores_json(found, told)

    assert isinstance(row, dict)
    assert row["comparable"] is False
    assert row["unlike"] == [{"fact": "protocol", "before": "idc", "after": "idc of other content"}]
    assert (row["difference"] is None, row["inference"] is None) == (not force, not force)


def test_json_holds_both_sides_and_what_is_inferred() -> None:
    found = paired([BEFORE], [AFTER])
    told = infer(found.pairs, ask=lambda name, question: tool(name)(question))

    row: Any = scores_json(found, told)[0]

    assert row["before"]["accuracies"] == [0.80, 0.82]
    assert row["replicates"]["after"] == [[0.90, 0.92, 0.91]]
    assert row["difference"] == pytest.approx(0.1)
    assert row["inference"]["low"] < 0.1 < row["inference"]["high"]
    assert (row["inference"]["verdict"], row["inference"]["of"]) == ("ahead", "sets")
    assert (row["inference"]["confidence"], row["inference"]["corrected_over"]) == (0.95, 1)
