"""Accuracies by class are gathered over repeats, and say what a class is taken for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ddspec.console.per_class_view import render_classes
from ddspec.plan.ir import Stage
from ddspec.run.per_class import class_tables
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import EvaluateWork

NAMES = ("cat", "dog", "emu")


def judged(label: str) -> Stage:
    work = EvaluateWork(
        network=ConvNetSpec(kind="convnet"),
        protocol=ProtocolSpec(name="brief", steps=1),
        seed=(0, "evaluate", "distilled", "convnet3", int(label[-1])),
        precision="float32",
    )
    upstream = {"set": "distill", "test": "prepare/test"}
    return Stage(label=label, work=work, upstream=upstream, inputs={}, key=label)


def figures(*confusion: list[int]) -> dict[str, Any]:
    return {"per_class": dict.fromkeys(NAMES, 0.0), "confusion": list(confusion)}


FIRST, SECOND = "evaluate/convnet3/0", "evaluate/convnet3/1"
DONE = {
    FIRST: figures([6, 4, 0], [1, 1, 0], [0, 0, 0]),
    SECOND: figures([8, 1, 1], [0, 2, 0], [0, 0, 0]),
}


def test_each_class_has_its_mean_over_repeats_and_what_it_is_taken_for() -> None:
    (table,) = class_tables([judged(FIRST), judged(SECOND)], DONE)

    cat, dog, emu = table.rows
    assert cat.mean == pytest.approx(0.7)
    assert cat.std == pytest.approx(math.sqrt(0.02))  # two values, each 0.1 from the mean
    assert (cat.taken_for, cat.share) == ("dog", 0.25)
    assert (dog.mean, dog.taken_for, dog.share) == (0.75, "cat", 0.25)
    assert (emu.mean, emu.std, emu.taken_for) == (None, None, "")
    assert table.confusion == ((14, 5, 1), (1, 3, 0), (0, 0, 0))


def test_a_class_that_the_test_split_lacks_has_no_accuracy_in_the_table() -> None:
    tables = class_tables([judged(FIRST), judged(SECOND)], DONE)

    assert render_classes("animals", tables).split("\n") == [
        "animals",
        "",
        " distilled: convnet3 by protocol brief, on the test split; 2 networks",
        " class  most often taken for  accuracy     std",
        " cat    dog 25.0 %              70.0 %  ± 14.1",
        " dog    cat 25.0 %              75.0 %  ± 35.4",
        " emu    -                            -       -",
    ]


def test_of_equal_mistakes_the_first_is_named() -> None:
    (table,) = class_tables([judged(FIRST)], {FIRST: figures([2, 3, 3], [0, 1, 0], [0, 0, 1])})

    assert table.rows[0].taken_for == "dog"


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"per_class": {"cat": 1.0}},
        figures([1, 0, 0]),
        figures([1, 0], [0, 1], [0, 0]),
        figures([1, 0, 0], [0, 1, 0], ["many", 0, 0]),
        figures([1, 0, 0], [0, 1, 0], [0, -1, 0]),
        {"per_class": ["cat"], "confusion": [[1]]},
        {"per_class": {"cat": 1.0}, "confusion": 3},
    ],
)
def test_what_no_evaluation_writes_counts_as_not_done(odd: dict[str, Any]) -> None:
    assert class_tables([judged(FIRST)], {FIRST: odd}) == ()


def test_without_evaluations_the_table_says_so() -> None:
    assert "no evaluation is in the store" in render_classes("animals", ())
