"""The final table says what was learned, what it cost and where it lies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ddspec.console.durations import duration
from ddspec.console.errors_view import render_errors
from ddspec.console.matrix_results_view import VariantScores, render_matrix
from ddspec.console.results_view import render_results
from ddspec.errors import Diagnostic, Place
from ddspec.run.curves import Curve, Point
from ddspec.run.outcome import StageOutcome, StageState
from ddspec.run.scores import Rate, Score


def score(set: str, *accuracies: float, planned: int | None = None) -> Score:
    count = len(accuracies) if planned is None else planned
    return Score(set, "convnet2-w32", "digits-1000", "test", accuracies, planned=count)


def stage(label: str, state: StageState, seconds: float | None) -> StageOutcome:
    return StageOutcome(label, "0" * 64, label.split("/")[0], state, seconds, {})


def test_the_table_shows_scores_times_and_paths() -> None:
    scores = [
        score("distilled", 0.89, 0.91),
        score("random", 0.6, 0.8, planned=3),
        score("full", 0.99),
    ]
    stages = [
        stage("prepare/train", "done", 0.1),
        stage("prepare/test", "done", 0.2),
        stage("pool/0", "done", 1.0),
        stage("pool/1", "in store", 64.0),
        stage("distill", "interrupted", None),
    ]

    text = render_results("digits: 10 classes x 1 image", scores, stages, {"images": "a/grid.png"})

    assert text.split("\n") == [
        "digits: 10 classes x 1 image",
        "",
        " convnet2-w32 by protocol digits-1000, on the test split",
        " set          accuracy       std   networks   distilled is ahead by",
        " distilled      90.0 %     ± 1.4          2",
        " random         70.0 %    ± 14.1     2 of 3   +20.0 points, standard error 10.0",
        " full           99.0 %         -          1   -9.0 points",
        "",
        " stage          n   wall time   state",
        " prepare        2       0.3 s   done",
        " pool           2    1 m 05 s   1 done, 1 in store",
        " distill        1           -   interrupted",
        "",
        " images      a/grid.png",
    ]


def test_the_best_on_validation_and_accuracies_over_loops_stand_apart() -> None:
    learned = replace(score("distilled", 0.89, 0.91), best=(0.9, 0.94))
    place = ("convnet2-w32", "digits-1000", "test")
    points = (Point(20, score("to-20", 0.8, 0.9, planned=3)), Point(40, learned))

    text = render_results("digits", [learned], [], {}, [Curve(place, points)])

    assert text.split("\n")[2:14] == [
        " convnet2-w32 by protocol digits-1000, on the test split",
        " set          accuracy       std   networks   distilled is ahead by",
        " distilled      90.0 %     ± 1.4          2",
        "",
        " convnet2-w32 by protocol digits-1000, on the test split, where best on validation",
        " set          accuracy       std   networks   distilled is ahead by",
        " distilled      92.0 %     ± 2.8          2",
        "",
        " convnet2-w32 by protocol digits-1000, on the test split, over outer loops",
        " loops        accuracy       std   networks",
        " 20             85.0 %     ± 7.1     2 of 3",
        " 40             90.0 %     ± 1.4          2",
    ]


def test_what_failed_and_why_stands_at_the_end() -> None:
    reason = "\n".join(["exit code 65", *(f"line {i}" for i in range(9))])
    stages = [
        replace(stage("pool/0", "failed", None), reason=reason),
        replace(stage("pool/1", "failed", None), reason=reason),
        replace(stage("distill", "blocked", None), reason="pool/0"),
    ]

    text = render_results("digits", [], stages, {})

    told = text.split("\n")
    assert told[-8:-6] == ["", " failed: pool/0..1"]
    assert told[-6:] == [f"    line {i}" for i in range(3, 9)]


SPANS = {0.04: "0.0 s", 9.94: "9.9 s", 9.96: "10 s", 59.4: "59 s", 59.6: "1 m 00 s"}
LONG_SPANS = {3599.6: "1 h 00 m", 27_600: "7 h 40 m", 86_399: "1 d 0 h", 187_200: "2 d 4 h"}


@pytest.mark.parametrize(("seconds", "text"), [*SPANS.items(), *LONG_SPANS.items()])
def test_a_span_never_shows_a_full_smaller_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_error_keeps_its_words_without_colour() -> None:
    problem = Diagnostic("unknown key `x`", Place("a.yaml", 2, 3, "  x: 1"), hint="did you mean y")

    plain = render_errors([problem])
    coloured = render_errors([problem], colour=True)

    assert plain.split("\n") == [
        "error: a.yaml:2:3: unknown key `x`",
        "  2 |   x: 1",
        "    |   ^",
        "  hint: did you mean y",
    ]
    for code in ("\x1b[31m", "\x1b[1m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_sets_of_other_labels_say_so_and_are_not_alike() -> None:
    scores = [
        replace(score("distilled", 0.89, 0.91), labels="soft"),
        replace(score("random", 0.87, 0.89), labels="soft"),
        score("random_hard", 0.6, 0.8),
    ]

    lines = render_results("title", scores, [], {}).split("\n")[2:6]

    assert lines == [
        " convnet2-w32 by protocol digits-1000, on the test split",
        " set          accuracy       std   networks  labels   distilled is ahead by",
        " distilled      90.0 %     ± 1.4          2    soft",
        " random         88.0 %     ± 1.4          2    soft   +2.0 points, standard error 1.4",
    ]
    hard = render_results("title", scores, [], {}).split("\n")[6]
    assert hard.endswith("2    hard   +20.0 points, standard error 10.0, not alike")
    assert len(hard) <= 100


def test_rates_that_were_learned_or_not_are_told() -> None:
    scores = [
        replace(score("distilled", 0.9), rate=Rate(0.01843, learned=True)),
        replace(score("random", 0.6), rate=Rate(0.01, learned=False)),
    ]

    text = render_results("title", scores, [], {})

    told = "distilled 0.0184 (learned with it) · random 0.01 (the protocol's)"
    assert f" rates      {told}" in text.split("\n")


def test_the_table_of_a_matrix_names_cells_of_other_labels() -> None:
    soft = replace(score("distilled", 0.9), labels="soft")
    variants = [
        VariantScores("sre2l", (soft, score("random_hard", 0.5))),
        VariantScores("dm", (replace(score("distilled", 0.8), rate=Rate(0.02, learned=False)),)),
    ]

    lines = render_matrix("title", variants, [], {}).split("\n")

    assert " soft labels sre2l (distilled)" in lines
    assert " rates      dm (distilled) 0.02, not learned" in lines
