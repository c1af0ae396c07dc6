from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.console.durations import hours_span, time_span, time_words
from ddspec.console.why_view import selected
from ddspec.plan.compile import compile_noted, compile_plan
from ddspec.plan.forecast import Span
from ddspec.plan.ir import Plan
from ddspec.plan.rows import common_label, told
from ddspec.spec.load import load_spec, load_text

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture(scope="module")
def digits() -> Plan:
    return compile_plan(load_spec(SPECS / "digits.yaml").experiment)


@pytest.fixture(scope="module")
def matrix() -> Plan:
    text = (
        "name: x\npreset: dm\ndataset: {kind: cifar10}\nbudget: {images_per_class: 1}\n"
        "matrix: {budget.images_per_class: [1, 10]}\n"
    )
    return compile_noted(load_text(text, "x.yaml"))[0]


@pytest.mark.parametrize(
    ("pattern", "labels"),
    [
        ("distill", {"distill"}),
        ("pool/0", {"pool/0"}),
        ("pool/1..2", {"pool/1", "pool/2"}),
        ("pool/3..", {"pool/3", "pool/4"}),
        ("pool", {f"pool/{i}" for i in range(5)}),
        ("p*/0", {"pool/0"}),
        ("evaluate/*/0..1", {"evaluate/convnet2-w32/0", "evaluate/convnet2-w32/1"}),
        ("evaluate/full", {f"evaluate/full/convnet2-w32/{i}" for i in range(3)}),
        ("pool/9", set()),
        ("distil", set()),
        ("", set()),
        ("pool/0/1", set()),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_stages_are_named_as_the_table_names_them(
    pattern: str, labels: set[str], digits: Plan
) -> None:
    assert {stage.label for stage in selected(digits, pattern)} == labels


def test_a_star_names_every_stage(digits: Plan) -> None:
    assert selected(digits, "*") == digits.stages


@pytest.mark.parametrize(
    ("pattern", "labels"),
    [
        ("distill", {"distill@ipc-1", "distill@ipc-10"}),
        ("distill@*", {"distill@ipc-1", "distill@ipc-10"}),
        ("distill@ipc-10", {"distill@ipc-10"}),
        ("distill@other", set()),
    ],
)
def test_stages_of_variants_are_named_alone_or_together(
    pattern: str, labels: set[str], matrix: Plan
) -> None:
    assert {stage.label for stage in selected(matrix, pattern)} == labels


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (["prepare/train", "prepare/test"], "prepare"),
        (["pool/0", "pool/1", "pool/2"], "pool/0..2"),
        (["evaluate/a/0", "evaluate/b/1"], "evaluate/*/0..1"),
        (["distill@one", "distill@two"], "distill@*"),
        (["pool/0@one"], "pool/0@one"),
        (["pool/0", "pool/1@one"], "pool/0..1@one"),
    ],
)
def test_several_labels_become_one(labels: list[str], shown: str) -> None:
    assert common_label(labels) == shown


def test_labels_of_several_kinds_are_told_in_few_words() -> None:
    labels = ["distill@a", "distill@b", "merge", "select/init", "evaluate/x/0"]

    assert told(labels) == "distill@*, merge, select/init and 1 more"


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0, 0, "<1 s"),
        (4, 12, "4-12 s"),
        (600, 1200, "10-20 m"),
        (61, 62, "61-62 s"),
        (115, 118, "2 m"),
        (3240, 8640, "0.9-2.4 h"),
        (12 * 3600, 30 * 3600, "12-30 h"),
        (60 * 3600, 149 * 3600, "60-149 h"),
    ],
)
def test_a_range_of_times_has_one_unit(low: float, high: float, shown: str) -> None:
    assert time_words(low, high) == shown


def test_hours_are_hours_and_what_is_unknown_says_so() -> None:
    assert hours_span(Span(60, 60)) == "<0.1 h"
    assert hours_span(Span(600, 1200)) == "0.2-0.3 h"
    assert (hours_span(None), time_span(None)) == ("?", "?")
