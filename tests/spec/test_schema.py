"""The schema lets pass what the models accept, refuses slips, and explains every key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddspec.cli.schema import Kind, schema_of
from ddspec.spec.docstrings import field_docs, models_in
from ddspec.spec.experiment import Experiment
from ddspec.spec.hover import WORDS
from ddspec.spec.nodes import compose
from ddspec.spec.schema import keys_of
from ddspec.spec.source import Source

jsonschema = pytest.importorskip("jsonschema", reason="a development dependency")

SPECS = Path(__file__).parents[2] / "specs"
FILES = sorted(
    path
    for path in SPECS.rglob("*.yaml")
    if not path.name.endswith((".plan.yaml", ".lock.yaml", "policy.yaml"))
)
PRESET = "name: x\npreset: acc_dd\ndataset: {kind: cifar10}\nbudget: {images_per_class: 10}\n"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return schema_of(Kind.SPEC)


@pytest.fixture(scope="module")
def judge(schema: dict[str, Any]) -> Any:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def problems(judge: Any, text: str) -> list[str]:
    document = compose(Source("x.yaml", text)).root.value
    return [f"{list(each.absolute_path)} {each.message}" for each in judge.iter_errors(document)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_spec_of_ours_passes(path: Path, judge: Any) -> None:
    assert problems(judge, path.read_text(encoding="utf-8")) == []


LAYERED = {
    "a preset": PRESET,
    "a variant of a preset": PRESET.replace("acc_dd", "{name: acc_dd, variant: 10x}"),
    "a preset that is forgotten": "name: x\nextends: a.yaml\npreset: null\n",
    "an override": PRESET + "pool: {epochs: 0}\n",
    "a parent gives the rest": "name: x\nextends: base.yaml\nmatcher: {real_batch: 3}\n",
    "several parents": "name: x\nextends: [a.yaml, b.yaml]\n",
    "a section without its kind": "name: x\nextends: a.yaml\nnetwork: {depth: 3}\n",
    "a matrix": "name: x\nextends: a.yaml\nmatrix: {budget.images_per_class: [1, 10]}\n",
    "a range": "name: x\nextends: a.yaml\nmatrix: {pool.epochs: {from: 0, to: 10, step: 2}}\n",
    "names of values": "name: x\nextends: a.yaml\n"
    "matrix: {preset: {as: method, values: {one: dsa, two: idc}}}\n",
    "variants of a preset": PRESET + "matrix: {preset.variant: [5x, 10x]}\n",
    "exclusions": "name: x\nextends: a.yaml\n"
    "matrix: {pool.epochs: [0, 1], exclude: [{pool.epochs: [0, 1]}]}\n",
    "named variants": "name: x\nextends: a.yaml\n"
    "matrix: {variants: {fast: {loops.outer_loops: 3}}, exclude: [{pool.epochs: 0}]}\n",
    "disagreements": "name: x\nextends: a.yaml\n"
    "disagreements: [{setting: a.b, paper: '1', code: '2', takes: code, why: runs}]\n",
}


@pytest.mark.parametrize("text", LAYERED.values(), ids=LAYERED)
def test_a_layer_leaves_to_others_what_they_give(text: str, judge: Any) -> None:
    assert problems(judge, text) == []


SLIPS = {
    "an unknown key": ("name: x\nextends: a.yaml\nmatcher: {real_bath: 3}\n", "real_bath"),
    "a key of another kind": (
        "name: x\nextends: a.yaml\nnetwork: {kind: torchvision, depth: 3}\n",
        "depth",
    ),
    "an unknown kind": ("name: x\nextends: a.yaml\nnetwork: {kind: convnett}\n", "convnett"),
    "an unknown preset": (PRESET.replace("acc_dd", "acc-dd"), "acc-dd"),
    "no name": ("extends: a.yaml\n", "'name' is a required property"),
    "a preset without a budget": (PRESET.rsplit("budget")[0], "'budget' is a required property"),
    "a bound": ("name: x\nextends: a.yaml\nnetwork: {kind: convnet, depth: 9}\n", "maximum of 6"),
    "an axis without an end": ("name: x\nmatrix: {pool.epochs: {from: 0, too: 3}}\n", "too"),
    "a value of an axis": ("name: x\nmatrix: {variants: {a: {loops.outer_loops: -1}}}\n", "-1"),
    "a setting in a variant": (
        "name: x\nmatrix: {variants: {a: {loops.outer: 1}}}\n",
        "loops.outer",
    ),
    "a setting of an axis": ("name: x\nmatrix: {pool.epoch: [1]}\n", "pool.epoch"),
    "no kind": (
        "name: x\nmatrix: {}\nevaluate: {networks: [{depth: 3}]}\n",
        "'kind' is a required",
    ),
    "no preset, no parent": ("name: x\n", "'matcher' is a required property"),
}


@pytest.mark.parametrize(("text", "said"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_underlined(text: str, said: str, judge: Any) -> None:
    assert said in "\n".join(problems(judge, text))


def text(schema: dict[str, Any], shape: dict[str, Any], of: str) -> str | None:
    """Return what a shape says of itself, or what the one says that it stands for."""
    while of not in shape and "$ref" in shape:
        found: Any = schema
        for step in shape["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        shape = found
    return shape.get(of)


def test_every_key_is_explained(schema: dict[str, Any]) -> None:
    bare = {name for name, shape in keys_of(schema) if not text(schema, shape, "description")}

    assert bare == set()


def test_a_text_for_a_name_is_used_by_a_field_that_has_none() -> None:
    models = models_in(Experiment).values()
    bare = {name for each in models for name in each.model_fields if name not in field_docs(each)}

    assert set(WORDS) <= bare


def test_every_key_says_what_may_be_written(schema: dict[str, Any]) -> None:
    bare = {name for name, shape in keys_of(schema) if not text(schema, shape, "title")}

    assert bare == set()


def test_a_hover_says_values_and_default(schema: dict[str, Any]) -> None:
    found = schema["$defs"]["GradientMatcherSpec"]["properties"]["real_batch"]

    assert found["title"] == "real_batch: an integer of at least 1; default 64"
    assert found["description"] == "Real images per class and step."
    assert found["default"] == 64


def test_a_kind_is_explained_where_it_is_chosen(schema: dict[str, Any]) -> None:
    kind = schema["$defs"]["Spec"]["properties"]["network"]["properties"]["kind"]

    told = dict(zip(kind["enum"], kind["enumDescriptions"], strict=True))
    assert {"convnet", "resnet_ap", "torchvision"} <= told.keys()
    assert told["convnet"].startswith("The field's ConvNet: depth x")


def test_the_schema_is_the_same_every_time(schema: dict[str, Any]) -> None:
    assert json.dumps(schema_of(Kind.SPEC)) == json.dumps(schema)
