"""Policies and plan files have schemas too, which explain every key."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ddspec.cli.schema import Kind, schema_of
from ddspec.plan.blocks import parse
from ddspec.spec.nodes import compose
from ddspec.spec.schema import keys_of
from ddspec.spec.source import Source

jsonschema = pytest.importorskip("jsonschema", reason="a development dependency")

GOLDEN = sorted((Path(__file__).parents[1] / "plan" / "golden").rglob("*.plan.yaml"))
POLICY = """\
format: ddspec.policy/1
device: a6000
rules:
  - {kind: gpu_hours, at_most: 200, judged_by: low, reason: a week}
  - {kind: memory, at_most: 48 GiB, action: warn}
  - {kind: disk, at_most: 1.5 TB}
  - {kind: stages, at_most: 100}
  - {kind: baselines, random: 10}
  - {kind: repeats, at_least: 5}
  - {kind: test_split}
  - {kind: datasets, allow: [cifar10, folder]}
  - {kind: presets, allow: [acc_dd, none]}
  - {kind: protocols, allow: [idc]}
  - {kind: image, allow: ['team/*']}
"""


@cache
def judge(kind: Kind) -> Any:
    schema = schema_of(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def problems(kind: Kind, text: str) -> list[str]:
    document = compose(Source("x.yaml", text)).root.value
    return [error.message for error in judge(kind).iter_errors(document)]


def test_a_policy_with_every_rule_passes() -> None:
    assert problems(Kind.POLICY, POLICY) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a6000", "a600"),
        ("cifar10", "cifar01"),
        ("at_least", "at_leat"),
        ("48 GiB", "48"),
        ("kind: test_split", "kind: test"),
        ("action: warn", "action: ignore"),
    ],
)
def test_a_slip_in_a_policy_is_underlined(old: str, new: str) -> None:
    assert problems(Kind.POLICY, POLICY.replace(old, new))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_a_plan_file_passes(path: Path) -> None:
    document = parse(path.read_text(encoding="utf-8"), path.name)

    assert [error.message for error in judge(Kind.PLAN).iter_errors(document)] == []


@pytest.mark.parametrize("kind", [Kind.PLAN, Kind.POLICY])
def test_every_key_is_explained(kind: Kind) -> None:
    bare = {name for name, shape in keys_of(schema_of(kind)) if not shape.get("description")}

    assert bare == set()
