from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ddspec.console.plan_view import plan_json, render_plan
from ddspec.console.quantities import count, decimal, flops, memory, size
from ddspec.errors import Diagnostic, Place
from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Plan
from ddspec.spec.load import load_spec

SPECS = Path(__file__).parents[2] / "specs"
NAMES = ("digits", "cifar10", "imagenet100")


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {name: compile_plan(load_spec(SPECS / f"{name}.yaml").experiment) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stored", [None, 0, 2], ids=["no store", "empty store", "some in store"])
def test_a_plan_fits_on_a_screen(plans: dict[str, Plan], name: str, stored: int | None) -> None:
    plan = plans[name]
    in_store = None
    if stored is not None:
        in_store = {stage.key or "": i % 3 < stored for i, stage in enumerate(plan)}
    lines = render_plan(plan, in_store).split("\n")

    assert len(lines) < 45
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)


def test_the_overview_says_what_a_reviewer_asks(plans: dict[str, Plan]) -> None:
    text = " ".join(render_plan(plans["imagenet100"]).split())

    for said in (
        "124,155 train, 2,534 held out for choices",
        "100 classes x 10 at 224 px: 1,000 images",
        "factor 3: 9,000 training views",
        "10 x resnet_ap10",
        "2 filter-normalised directions, ±U(0.01, 0.09)",
        "5 exact class shards",
        "idc-imagenet100: 600 epochs",
        "resnet_ap10, resnet18, efficientnet_b0 x 3 repeats",
        "48.4 ± 1.5 %",
        "key: after lock",
        "39 stages",
    ):
        assert said in text


def test_stages_that_differ_in_a_number_share_a_row(plans: dict[str, Plan]) -> None:
    text = render_plan(plans["digits"])
    (row,) = (line.split() for line in text.split("\n") if line.startswith(" pool/"))

    assert row[:3] == ["pool/0..4", "5", "prepare"]


@pytest.mark.parametrize(
    ("there", "shown"),
    [
        pytest.param(set(), "run", id="none"),
        pytest.param({"pool/0", "pool/1", "pool/2", "pool/3", "pool/4"}, "in store", id="all"),
        pytest.param({"pool/0", "pool/3"}, "2 in store", id="some"),
    ],
)
def test_the_store_is_told_by_group(plans: dict[str, Plan], there: set[str], shown: str) -> None:
    plan = plans["digits"]
    in_store = {stage.key or "": stage.label in there for stage in plan}
    (row,) = (line for line in render_plan(plan, in_store).split("\n") if line.startswith(" pool/"))

    assert row.endswith(shown)


def test_notes_are_shown_with_their_place(plans: dict[str, Plan]) -> None:
    note = Diagnostic("few draws", Place("x.yaml", 7), code="DDS014")

    assert " note DDS014 few draws · x.yaml:7" in render_plan(plans["digits"], notes=[note])


def test_the_plan_as_json_has_every_stage_and_its_cost(plans: dict[str, Plan]) -> None:
    plan = plans["digits"]
    found = json.loads(json.dumps(plan_json(plan, {})))

    assert found["plan"] == plan.digest
    assert [stage["label"] for stage in found["stages"]] == [stage.label for stage in plan]
    assert all(stage["in_store"] is False for stage in found["stages"])


def test_rendering_loads_neither_rich_nor_numbers() -> None:
    program = (
        "import sys; from ddspec.spec.load import load_spec;"
        "from ddspec.plan.compile import compile_plan;"
        "from ddspec.console.plan_view import render_plan;"
        f"render_plan(compile_plan(load_spec({str(SPECS / 'digits.yaml')!r}).experiment));"
        "print(sorted({'rich', 'numpy', 'torch', 'jinja2', 'docker', 'ddspec_runners'}"
        " & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )

    assert found.stdout == "[]\n"


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (flops(None), "?"),
        (flops(0), "-"),
        (flops(586 * 10**15), "586 PFLOP"),
        (flops(1_118_503_436_288), "1.12 TFLOP"),
        (flops(999_499), "999 kFLOP"),
        (flops(999_999), "1.00 MFLOP"),
        (size(602_112_000), "602 MB"),
        (size(12), "12 B"),
        (memory(9 * 2**30 + 2**29), "9.50 GiB"),
        (memory(2**20 - 1), "1.00 MiB"),
        (count(126_689), "126,689"),
        (count(None), "?"),
        (decimal(2e-4), "0.0002"),
        (decimal(5.0), "5"),
        (decimal(0.0), "0"),
        (decimal(1e-12), "1e-12"),
    ],
)
def test_quantities_have_three_digits_and_a_unit(shown: str, text: str) -> None:
    assert shown == text
