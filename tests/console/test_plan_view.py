from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from ddspec.console.overview import Overview
from ddspec.console.plan_json import plan_json
from ddspec.console.plan_view import render_plan
from ddspec.console.quantities import brief, count, decimal, flops, flops_span, memory, size
from ddspec.console.values_view import render_values
from ddspec.errors import Diagnostic, Place
from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Plan
from ddspec.plan.past import Past, Said, decode, encode
from ddspec.plan.why import Standing, Why, former
from ddspec.spec.baselines import BaselinesSpec, FeaturesSpec
from ddspec.spec.load import load_spec

SPECS = Path(__file__).parents[2] / "specs"
NAMES = ("digits", "cifar10", "fashion_mnist", "imagenet100")


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {name: compile_plan(load_spec(SPECS / f"{name}.yaml").experiment) for name in NAMES}


def overview(plan: Plan, there: Collection[str] = (), *pasts: Past, **rest: Any) -> Overview:
    """Return a overview with the stages of these labels in the store."""
    present = {stage.key or "" for stage in plan if stage.label in there}
    made = set(former(plan, present, pasts))
    return Overview(plan, Why(plan, Standing(present, made=made, pasts=pasts)), **rest)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stored", [None, 0, 2], ids=["no store", "empty store", "some in store"])
def test_a_plan_fits_on_a_screen(plans: dict[str, Plan], name: str, stored: int | None) -> None:
    plan = plans[name]
    seen = Overview(plan)
    if stored is not None:
        seen = overview(plan, {stage.label for i, stage in enumerate(plan) if i % 3 < stored})
    lines = render_plan(seen).split("\n")

    assert len(lines) < 45
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)


def test_the_overview_says_what_a_reviewer_asks(plans: dict[str, Plan]) -> None:
    text = " ".join(render_plan(Overview(plans["imagenet100"])).split())

    for said in (
        "100 classes x 10 images at 224 px",
        "124,155 train, 2,534 held out for choices",
        "1,000 images, 0.81 % · 602 MB",
        "factor 3: 9,000 training views",
        "10 early-stage ResNetAP-10 (100-way), 10 epochs",
        "differ in seed, lr, augmentation",
        "2 filter-normalised directions, ±U(.01,.09)",
        "draws per model 11 9 12",
        "gradient, L1 over conv kernels · 64 real, 90 views · 100 inner steps",
        "images SGD 1e-3",
        "never sees the images",
        "5 exact class shards of 20",
        "idc-imagenet100: 600 epochs",
        "3 networks x 3 repeats",
        "baselines random 3",
        "48.4 ± 1.5 %",
        "key: after lock",
        "39 stages",
    ):
        assert said in text


def test_by_which_network_baselines_are_chosen_is_said(plans: dict[str, Plan]) -> None:
    experiment = plans["digits"].experiment
    baselines = BaselinesSpec(herding=3, k_center=2, features=FeaturesSpec(epochs=20))
    evaluate = experiment.evaluate.model_copy(update={"baselines": baselines})

    lines = render_plan(
        Overview(compile_plan(experiment.model_copy(update={"evaluate": evaluate})))
    ).split("\n")

    said = [line.strip() for line in lines]
    assert "baselines random 10, herding 3, k_center 2" in said
    assert "herding, k_center by ConvNet-2 w32 after 20 epochs, lr .01" in said
    rows = {line.split()[0]: line.split() for line in lines if len(line.split()) > 2}
    assert rows["select/herding"][1:3] == ["1", "select"]
    assert rows["evaluate/herding/convnet2-w32/0..2"][1:3] == ["3", "select"]


def test_stages_that_differ_in_a_number_or_a_network_share_a_row(plans: dict[str, Plan]) -> None:
    lines = render_plan(Overview(plans["imagenet100"])).split("\n")
    rows = {line.split()[0]: line.split() for line in lines if len(line.split()) > 2}

    assert rows["prepare"][1:5] == ["2", "data", "decode", "129,155"]
    assert rows["pool/0..9"][1:3] == ["10", "prepare"]
    assert rows["evaluate/*/0..2"][1:3] == ["9", "merge"]
    assert rows["evaluate/random/*/0..2"][1:3] == ["9", "select"]


@pytest.mark.parametrize(
    ("there", "shown"),
    [
        pytest.param(set(), "run", id="none"),
        pytest.param({"pool/0", "pool/1", "pool/2", "pool/3", "pool/4"}, "in store", id="all"),
        pytest.param({"pool/0", "pool/3"}, "3 run, 2 in store", id="some"),
    ],
)
def test_the_store_is_told_by_row(plans: dict[str, Plan], there: set[str], shown: str) -> None:
    text = render_plan(overview(plans["digits"], there))
    (row,) = (line for line in text.split("\n") if line.startswith(" pool/"))

    assert row.endswith(f"  {shown}")


def test_a_changed_setting_is_told_once_with_what_lies_below_it(plans: dict[str, Plan]) -> None:
    before = plans["digits"]
    pool = before.experiment.pool.model_copy(update={"epochs": 3})
    after = compile_plan(before.experiment.model_copy(update={"pool": pool}))
    past = decode(encode(before, [Said("pool.epochs", 2, "x.yaml:27")], 1_790_000_000.0))
    assert past is not None
    present = {stage.key or "" for stage in before}
    standing = Standing(present, made=present, pasts=(past,))
    why = Why(after, standing, {"pool.epochs": Said("pool.epochs", 3, "x.yaml:28")})
    lines = render_plan(Overview(after, why)).split("\n")

    (told,) = (line for line in lines if line.startswith(" changed "))
    assert told.split(maxsplit=1)[1].startswith(
        "pool/0..4: pool.epochs 2 -> 3 · x.yaml:28, was :27 · 6 stages below"
    )
    assert any(line.startswith(" distill ") and line.endswith(" changed") for line in lines)
    assert any(line.startswith(" 42 stages: 11 changed, 0 run, 31 in store") for line in lines)


def test_notes_are_shown_with_their_place(plans: dict[str, Plan]) -> None:
    note = Diagnostic("few draws", Place("x.yaml", 7), code="DDS014")
    text = render_plan(Overview(plans["digits"], notes=[note]))
    (line,) = (line for line in text.split("\n") if line.startswith(" note"))

    assert line.split() == ["note", "DDS014", "few", "draws", "x.yaml:7"]
    assert len(line) == 100


def test_text_from_a_spec_cannot_steer_the_terminal(plans: dict[str, Plan]) -> None:
    hostile = "a\x1b[31m\u202e\nb"
    spec = plans["digits"].experiment.model_copy(update={"title": hostile})
    note = Diagnostic(hostile, Place(hostile, 7))
    said = Said("title", hostile, f"{hostile}:1", hostile)
    seen = overview(compile_plan(spec), (), notes=[note], settings=[said])

    for text in (render_plan(seen), render_values(seen.settings)):
        assert all(line.isprintable() for line in text.split("\n"))
    assert len(render_values(seen.settings).split("\n")) == 1


def test_the_plan_as_json_has_every_stage_its_cost_and_its_reason(plans: dict[str, Plan]) -> None:
    plan = plans["digits"]
    found = json.loads(json.dumps(plan_json(overview(plan, {"pool/0"}))))

    assert found["format"] == "ddspec.plan-view/1"
    assert found["plan"] == plan.digest
    assert [stage["label"] for stage in found["stages"]] == [stage.label for stage in plan]
    states = {stage["label"]: stage["why"]["state"] for stage in found["stages"]}
    assert states.pop("pool/0") == "in store"
    assert set(states.values()) == {"run"}


def test_rendering_loads_neither_rich_nor_numbers() -> None:
    program = (
        "import sys; from ddspec.spec.load import load_spec;"
        "from ddspec.plan.compile import compile_plan;"
        "from ddspec.console.plan_view import render_plan;"
        "from ddspec.console.overview import Overview;"
        f"plan = compile_plan(load_spec({str(SPECS / 'digits.yaml')!r}).experiment);"
        "render_plan(Overview(plan));"
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
        (flops_span(21 * 10**15, 59 * 10**15), "21.0-59.0 PFLOP"),
        (flops_span(10**12, 10**15), "1.00 TFLOP-1.00 PFLOP"),
        (flops_span(7, 7), "7 FLOP"),
        (brief(0.09), ".09"),
        (brief(-0.0896), "-.0896"),
        (brief(0.1), "0.1"),
        (brief(1e-3), "1e-3"),
        (brief(1.5e-4), "1.5e-4"),
        (brief(0.0), "0"),
        (brief(64.0), "64"),
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
