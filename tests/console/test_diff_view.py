from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddspec.console.diff_view import diff_json, render_diff
from ddspec.console.scores_view import render_scores
from ddspec.plan.compile import compile_plan
from ddspec.plan.devices import device
from ddspec.plan.diff import PlanDiff, diff
from ddspec.plan.effort import Clock, Effort, Taken
from ddspec.plan.forecast import Span
from ddspec.plan.ir import Plan
from ddspec.run.scores import Score
from ddspec.spec.experiment import Experiment
from ddspec.spec.load import load_spec

DIGITS = Path(__file__).parents[2] / "specs" / "digits.yaml"


TAKEN = (Taken(400, 1024, 5), Taken(300, 1024, 4), Taken(120, 1024, 1))
EFFORT = Effort(*TAKEN)


def changed(**changes: Any) -> PlanDiff:
    """Compare the digits spec with itself after changes; `a__b` is setting `a.b`."""
    experiment = load_spec(DIGITS).experiment
    document = experiment.model_dump(mode="json")
    for path, value in changes.items():
        *sections, last = path.split("__")
        place = document
        for section in sections:
            place = place[section]
        place[last] = value
    return diff(plan(experiment), plan(Experiment.model_validate(document)))


def plan(experiment: Experiment) -> Plan:
    return compile_plan(experiment)


def test_a_change_is_shown_with_cause_and_consequence() -> None:
    found = changed(loops__outer_loops=20, evaluate__repeats=7)
    text = render_diff(found, "a.yaml", "b.yaml", EFFORT)

    assert (
        text
        == """\
a.yaml -> b.yaml: distillation changes, numbers stay comparable

 setting            before  after  effect
 loops.outer_loops  40      20     distillation
 evaluate.repeats   5       7      evaluation only, adds runs

 44 stages: 36 same · 1 edited · 5 downstream · 2 added
 edited      distill                     differs in loops.outer_loops
 downstream  evaluate/convnet2-w32/0..4
 added       evaluate/convnet2-w32/5..6

 schedule: first 20 of 40 rows unchanged
 unchanged: protocol, test set, label kind, networks, budget

 work                       before           after
 from scratch             400 FLOP        300 FLOP
 if before has run               -        120 FLOP
 memory / disk      1.00 KiB / 5 B  1.00 KiB / 4 B"""
    )


def test_seconds_are_told_as_next_to_no_hours() -> None:
    spans = Span(0.05, 100), Span(0.05, 20), None
    taken = (replace(one, device_seconds=span) for one, span in zip(TAKEN, spans, strict=True))
    cost = Effort(*taken, clock=Clock(device("a6000")))

    text = render_diff(changed(loops__outer_loops=20), "a", "b", cost)

    assert re.search(r"\n from scratch +0-0\.028 +<0\.01\n", text)


def test_times_are_shown_on_the_device_they_are_asked_for() -> None:
    spans = Span(3600, 7200), Span(1800, 5400), None
    taken = (replace(one, device_seconds=span) for one, span in zip(TAKEN, spans, strict=True))
    cost = Effort(*taken, clock=Clock(device("a6000")))
    text = render_diff(changed(loops__outer_loops=20), "a", "b", cost)

    assert text.endswith(
        """
 hours on a6000             before           after
 from scratch              1.0-2.0         0.5-1.5
 if before has run               -               ?
 memory / disk      1.00 KiB / 5 B  1.00 KiB / 4 B"""
    )


def test_a_section_of_another_kind_is_one_row() -> None:
    changes = {"perturbation": {"kind": "none"}, "network__width": 16}
    lines = render_diff(changed(**changes), "a", "b").split("\n")

    assert [line.rstrip() for line in lines[3:6]] == [
        " network.width  32                              16     "
        "protocol: numbers are no longer comparable",
        " perturbation   filter_gaussian: directions 2…  none   distillation",
        "",
    ]


def test_long_values_are_shown_from_where_they_differ() -> None:
    rates = [0.01, 0.015, 0.02, 0.025, 0.04]
    lines = render_diff(changed(pool__vary__learning_rate=rates), "a", "b").split("\n")

    assert lines[3].split("  ") == [
        " pool.vary.learning_rate",
        "…25, 0.03]",
        "…25, 0.04]",
        "pool",
    ]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        pytest.param({}, "nothing changed", id="nothing"),
        pytest.param({"title": "x"}, "no stage changes, numbers stay comparable", id="a title"),
        pytest.param(
            {"resources__shards": 5},
            "only the layout changes, numbers stay comparable",
            id="shards",
        ),
        pytest.param(
            {"evaluate__baselines__full": 0},
            "only evaluation changes, numbers stay comparable",
            id="a baseline",
        ),
        pytest.param(
            {"evaluate__on": "validation"},
            "only evaluation changes, numbers are not comparable",
            id="another split",
        ),
        pytest.param(
            {"pool__epochs": 4},
            "pool and distillation change, numbers stay comparable",
            id="the pool",
        ),
        pytest.param(
            {"dataset__kind": "mnist"},
            "the data change, numbers are not comparable",
            id="the dataset",
        ),
    ],
)
def test_the_first_line_gives_the_verdict(changes: dict[str, Any], verdict: str) -> None:
    assert render_diff(changed(**changes), "a", "b").split("\n")[0] == f"a -> b: {verdict}"


def score(set_name: str, *accuracies: float) -> Score:
    return Score(set_name, "convnet3", "idc", "test", accuracies, planned=len(accuracies))


def test_results_stand_side_by_side_with_their_standard_error() -> None:
    before = [score("distilled", 0.80, 0.82), score("random", 0.70)]
    after = [score("distilled", 0.84, 0.88), score("random", 0.71), score("full", 0.99)]

    # Deviations .014142 and .028284 of two repeats: errors of the means .01 and .02, of their
    # difference sqrt(.01^2 + .02^2) = .02236.
    *table, alone = render_scores(before, after).split("\n")
    rows = [line.split("  ") for line in table]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]

    assert cells == [
        ["set", "network", "before %", "after %", "difference", "standard error"],
        ["distilled", "convnet3", "81.00 ± 1.41 (n=2)", "86.00 ± 2.83 (n=2)", "+5.00", "2.24"],
        ["random", "convnet3", "70.00 (n=1)", "71.00 (n=1)", "+1.00", "-"],
    ]
    assert alone == " only after has results of full on convnet3"


def test_the_same_evaluations_are_no_second_measurement() -> None:
    one = replace(score("random", 0.4, 0.6), keys=("a", "b"))

    (row,) = render_scores([one], [one]).split("\n")[1:]

    assert row.split() == [
        "random",
        "convnet3",
        *["50.00", "±", "14.14", "(n=2)"] * 2,
        "same",
        "runs",
        "-",
    ]


def test_accuracies_of_different_protocols_are_marked() -> None:
    other = replace(score("random", 0.4, 0.6), protocol="dc")

    text = render_scores([score("random", 0.5)], [other])

    assert text.endswith("\n before: idc on test, after: dc on test; these do not compare")


def test_results_of_one_side_only_are_named() -> None:
    text = render_scores([score("random", 0.5)], [score("init", 0.5), score("full", 0.9)])

    assert text.split("\n") == [
        " only before has results of random on convnet3",
        " only after has results of init on convnet3, full on convnet3",
    ]


def test_without_results_nothing_is_shown() -> None:
    assert render_scores([], []) == ""


def test_the_difference_as_json_is_whole() -> None:
    scores = [score("distilled", 0.8, 0.82)]
    found = diff_json(changed(update__momentum=0.1), scores, scores, plans=("a", "b"), changed=True)
    found = json.loads(json.dumps(found))

    assert found["changed"] is True
    assert found["settings"] == [
        {
            "path": "update.momentum",
            "before": 0.5,
            "after": 0.1,
            "effect": "distillation",
            "category": "distillation",
            "variants": [],
            "where": None,
        }
    ]
    assert {stage["status"] for stage in found["stages"]} == {"same", "edited", "downstream"}
    assert found["comparable"]["verdict"] is True
    assert found["results"][0]["difference"] == 0
