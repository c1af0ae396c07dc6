from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ddspec.plan.compile import compile_plan
from ddspec.plan.diff import EFFECTS, changed_settings, diff
from ddspec.plan.ir import Plan
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
    ("changes", "verdict"),
    [
        pytest.param({"update__momentum": 0.4}, [True, True, True], id="another distillation"),
        pytest.param({"dataset__validation": 0.1}, [True, True, True], id="more held out"),
        pytest.param({"evaluate__protocol__steps": 9}, [False, True, True], id="another protocol"),
        pytest.param(
            {"evaluate__protocol__name": "y"}, [True, True, True], id="another name for it"
        ),
        pytest.param({"evaluate__on": "validation"}, [True, False, True], id="other images"),
        pytest.param({"dataset__kind": "mnist"}, [True, False, True], id="another dataset"),
        pytest.param({"network__width": 16}, [True, True, False], id="another network"),
    ],
)
def test_numbers_compare_under_one_protocol_on_one_test_set(
    planned: Plans, changes: dict[str, Any], verdict: list[bool]
) -> None:
    found = diff(planned(), planned(**changes)).comparable

    assert [found.protocol, found.test_set, found.networks] == verdict
    assert bool(found) == all(verdict)


def test_every_section_of_a_spec_has_an_effect() -> None:
    assert set(Experiment.model_fields) <= EFFECTS.keys() | {"augmentation"}


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({"augmentation__matching": {"kind": "dsa"}}, "distillation"),
        ({"augmentation__cutmix": 0.5}, "pool, distillation"),
        ({"evaluate__baselines__full": 0}, "evaluation only, number of runs"),
        ({"resources__threads": 2}, "layout only"),
        ({"seed": 3}, "everything but the data"),
    ],
)
def test_the_longest_path_decides_what_a_setting_bears_on(
    small: Experiments, changes: dict[str, Any], effect: str
) -> None:
    assert {one.effect for one in changed_settings(small(), small(**changes))} == {effect}
