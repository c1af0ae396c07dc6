from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ddspec.plan.compile import compile_plan
from ddspec.plan.diff import NO_SCHEDULE, VariantChanges, diff
from ddspec.plan.ir import Plan, Stage
from ddspec.plan.settings import EXPECTED
from ddspec.spec.experiment import Experiment

Experiments = Callable[..., Experiment]
Plans = Callable[..., Plan]

SHARDS = {"shards": 2}


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        pytest.param({}, {"same": 15}, id="nothing"),
        pytest.param({"name": "x"}, {"same": 15}, id="a name"),
        pytest.param(
            {"matcher__distance": "squared"},
            {"same": 12, "edited": 1, "downstream": 2},
            id="the cause is apart from what follows",
        ),
        pytest.param({"evaluate__repeats": 3}, {"same": 15, "added": 1}, id="a repeat more"),
        pytest.param({"evaluate__repeats": 1}, {"same": 14, "removed": 1}, id="a repeat less"),
        pytest.param(
            {"pool__models": 4},
            {"same": 12, "edited": 1, "downstream": 2, "added": 1},
            id="a model more",
        ),
        pytest.param(
            {"resources": SHARDS}, {"same": 15, "added": 2}, id="shards end in the same set"
        ),
        pytest.param(
            {"evaluate__on": "validation"},
            {"same": 8, "edited": 6, "added": 1, "removed": 1},
            id="judged on other images",
        ),
    ],
)
def test_stages_are_told_apart_by_cause(
    planned: Plans, changes: dict[str, Any], counts: dict[str, int]
) -> None:
    assert diff(planned(), planned(**changes)).counts == counts


def test_an_edit_is_named_with_both_values(planned: Plans) -> None:
    found = diff(planned(), planned(update__momentum=0.25))
    (change,) = (change for change in found.changes if change.status == "edited")

    assert change.label == "distill"
    assert [(edit.path, edit.before, edit.after) for edit in change.edits] == [
        ("update.momentum", 0.5, 0.25)
    ]
    assert [(one.path, one.effect) for one in found.settings] == [
        ("update.momentum", "distillation")
    ]


def test_unlocked_plans_are_compared_all_the_same(small: Experiments) -> None:
    def compiled(**changes: Any) -> Plan:
        return compile_plan(small(dataset={"kind": "folder", "path": "x", "size": 32}, **changes))

    assert diff(compiled(), compiled()).counts == {"same": 15}
    assert diff(compiled(), compiled(matcher__distance="squared")).counts == {
        "same": 12,
        "edited": 1,
        "downstream": 2,
    }


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        pytest.param({"loops__outer_loops": 20}, 20, id="fewer loops are a prefix"),
        pytest.param({"loops__outer_loops": 80}, 40, id="more loops go on"),
        pytest.param({"seed": 1}, 0, id="another seed is another table"),
    ],
)
def test_schedules_are_compared_row_by_row(
    planned: Plans, changes: dict[str, Any], shared: int
) -> None:
    assert diff(planned(), planned(**changes)).schedule.shared == shared


@pytest.mark.parametrize(
    ("changes", "other"),
    [
        pytest.param({"update__momentum": 0.4}, [], id="another distillation"),
        pytest.param({"dataset__validation": 0.1}, [], id="more held out"),
        pytest.param({"evaluate__protocol__steps": 9}, ["protocol"], id="another protocol"),
        pytest.param({"evaluate__protocol__name": "y"}, [], id="another name for it"),
        pytest.param({"evaluate__on": "validation"}, ["test set"], id="other images"),
        pytest.param({"dataset__kind": "mnist"}, ["test set"], id="another dataset"),
        pytest.param({"network__width": 16}, ["networks"], id="another network"),
        pytest.param({"budget__images_per_class": 2}, ["budget"], id="more images"),
    ],
)
def test_numbers_compare_under_one_protocol_on_one_test_set(
    planned: Plans, changes: dict[str, Any], other: list[str]
) -> None:
    found = diff(planned(), planned(**changes)).comparable

    assert [name for name, kept in found.facts.items() if not kept] == other
    assert bool(found) == (not other)


def test_every_section_of_a_spec_has_an_expected_reach() -> None:
    assert set(Experiment.model_fields) <= EXPECTED.keys()


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({"title": "x"}, "cosmetic"),
        ({"augmentation__matching": {"kind": "dsa"}}, "distillation"),
        ({"augmentation__cutmix": 0.5}, "pool"),
        ({"evaluate__baselines__full": 0}, "evaluation only, removes runs"),
        ({"evaluate__repeats": 3}, "evaluation only, adds runs"),
        ({"resources__threads": 2}, "layout"),
        ({"resources__shards": 2}, "layout"),
        ({"seed": 3}, "pool"),
        ({"dataset__validation": 0.1}, "data"),
        ({"evaluate__protocol__steps": 9}, "protocol: numbers are no longer comparable"),
        ({"evaluate__on": "validation"}, "protocol: numbers are no longer comparable"),
    ],
)
def test_what_stages_move_decides_how_far_a_setting_reaches(
    planned: Plans, changes: dict[str, Any], effect: str
) -> None:
    found = diff(planned(), planned(**changes))

    assert [one.effect for one in found.settings] == [effect]
    assert found.category == found.settings[0].category


def test_each_setting_reaches_as_far_as_it_does_alone(planned: Plans) -> None:
    found = diff(planned(), planned(loops__outer_loops=20, evaluate__repeats=3, title="x"))

    assert {one.path: one.effect for one in found.settings} == {
        "title": "cosmetic",
        "loops.outer_loops": "distillation",
        "evaluate.repeats": "evaluation only, adds runs",
    }
    assert found.category == "distillation"


def test_a_setting_that_makes_no_sense_alone_is_left_out_of_the_plan_after(planned: Plans) -> None:
    steps = {"evaluate__protocol": {"name": "short", "epochs": 3}}
    found = diff(planned(), planned(**steps))

    assert {one.path: one.category for one in found.settings} == {
        "evaluate.protocol.epochs": "protocol",
        "evaluate.protocol.steps": "protocol",
    }


def test_a_coefficient_of_another_law_is_one_setting(planned: Plans) -> None:
    fixed = {"law": "fixed", "value": 1.0}
    found = diff(planned(), planned(perturbation__coefficient=fixed))

    assert [one.path for one in found.settings] == ["perturbation.coefficient"]


def matrix(planned: Plans, **changes: dict[str, Any]) -> Plan:
    """Return a plan of several variants by name, all of whose stages carry a name."""
    plans = {name: planned(**change) for name, change in changes.items()}
    label: dict[str, str] = {}
    stages: list[Stage] = []
    for name, one in plans.items():
        for stage in one:
            key = stage.key or ""
            if key not in label:
                label[key] = f"{stage.label}@{name}"
                upstream = {at: label[stage.inputs[at]] for at in stage.upstream}
                stages.append(replace(stage, label=label[key], upstream=upstream))
    named = (
        replace(one.variants[0], name=name, labels=tuple(label[s.key or ""] for s in one))
        for name, one in plans.items()
    )
    return Plan("matrix", tuple(named), tuple(stages))


def test_variants_are_compared_by_name(planned: Plans) -> None:
    before = matrix(planned, a={}, b={"pool__epochs": 4}, c={"pool__epochs": 5})
    after = matrix(planned, a={}, b={"pool__epochs": 4, "title": "x"}, d={"pool__epochs": 6})

    found = diff(before, after)

    assert found.variants == VariantChanges(
        added=("d",), removed=("c",), changed=("b",), same=("a",)
    )
    assert [(one.path, one.category, one.variants) for one in found.settings] == [
        ("title", "cosmetic", ("b",))
    ]
    assert found.category == "pool"


def test_a_change_of_all_variants_is_one_change(planned: Plans) -> None:
    before = matrix(planned, a={}, b={"budget__images_per_class": 2})
    momentum = {"update__momentum": 0.1}
    after = matrix(planned, a=momentum, b={"budget__images_per_class": 2, **momentum})

    found = diff(before, after)

    assert [(one.path, one.variants) for one in found.settings] == [("update.momentum", ("a", "b"))]
    assert found.variants.changed == ("a", "b")
    assert found.counts["edited"] == 2


def test_a_spec_that_becomes_a_matrix_keeps_what_it_had(planned: Plans) -> None:
    found = diff(planned(), matrix(planned, a={"pool__epochs": 4}, b={}))

    assert found.variants == VariantChanges(added=("a",), same=("b",))
    assert found.counts == {"same": 15, "added": 6}


def test_matrices_without_a_common_variant_are_compared_all_the_same(planned: Plans) -> None:
    found = diff(matrix(planned, a={}), matrix(planned, b={"pool__epochs": 4}))

    assert found.variants == VariantChanges(added=("b",), removed=("a",))
    assert found.schedule == NO_SCHEDULE
