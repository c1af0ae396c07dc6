from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddspec.console.diff_view import diff_json, render_diff
from ddspec.plan.compile import compile_plan
from ddspec.plan.devices import device
from ddspec.plan.diff import PlanDiff, diff
from ddspec.plan.effort import Clock, Effort, Taken
from ddspec.plan.forecast import Span
from ddspec.plan.ir import Plan
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


def test_the_difference_as_json_is_whole() -> None:
    results = [{"difference": 0.0}]
    found = diff_json(changed(update__momentum=0.1), results, plans=("a", "b"), changed=True)
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
    assert found["results"] == results
