"""Committed results: what has moved since, in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.run.recorded import Record, moved, settings
from ddspec.spec.load import load_spec

SPEC = """\
name: small
dataset: {kind: digits}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 8}
pool: {kind: recorded, models: 2, epochs: 1}
inner: {kind: frozen}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 0.1}
loops: {outer_loops: 2, inner_steps: 1}
evaluate:
  protocol: {name: brief, steps: 10}
  repeats: 2
"""
MATRIX = SPEC + "matrix:\n  variants:\n    a: {loops.outer_loops: 3}\n    b: {pool.epochs: 4}\n"


def plan(folder: Path, text: str) -> Plan:
    path = folder / "small.yaml"
    path.write_text(text)
    return compile_spec(load_spec(path))


def record(of: Plan) -> Record:
    keys = {stage.label: stage.key or "" for stage in of}
    return Record(of.digest, {"": ()}, None, keys, (), ("2026-11-20",), settings(of))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(SPEC, SPEC, (), id="nothing"),
        pytest.param(SPEC, SPEC.replace("name: small", "name: other"), (), id="a name"),
        pytest.param(
            SPEC,
            SPEC.replace("epochs: 1", "epochs: 3").replace("repeats: 2", "repeats: 5"),
            ("`pool.epochs` was 1, is 3", "`evaluate.repeats` was 2, is 5"),
            id="settings",
        ),
        pytest.param(
            SPEC,
            SPEC.replace("inner_steps: 1", "inner_steps: 1, snapshots: [1]"),
            ("`loops.snapshots` was [], is [1]",),
            id="a list",
        ),
        pytest.param(
            MATRIX,
            MATRIX.replace("    b:", "    c:"),
            ("variant `c` is new", "variant `b` is gone"),
            id="variants",
        ),
        pytest.param(
            MATRIX,
            MATRIX.replace("outer_loops: 3", "outer_loops: 5"),
            ("`loops.outer_loops` was 3, is 5",),
            id="one of a variant",
        ),
    ],
)
def test_settings_that_moved_are_named(
    tmp_path: Path, before: str, after: str, told: tuple[str, ...]
) -> None:
    then = record(plan(tmp_path, before))

    assert moved(then, plan(tmp_path, after)) == told


def test_a_setting_that_was_not_there_is_told_so(tmp_path: Path) -> None:
    now = plan(tmp_path, SPEC)
    asked = {path: value for path, value in settings(now)[""].items() if path != "pool.epochs"}
    then = replace(record(now), plan="0" * 64, asked={"": asked})

    assert moved(then, now) == ("`pool.epochs` was not set, is 1",)


def test_what_stages_compute_may_move_without_a_setting(tmp_path: Path) -> None:
    now = plan(tmp_path, SPEC)
    then = record(now)
    other = {**then.keys, "pool/0": "0" * 64, "pool/1": "1" * 64}

    found = moved(replace(then, plan="0" * 64, keys=other), now)

    assert found == ("no setting, but what stages compute: pool",)
