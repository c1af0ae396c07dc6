"""Every preset of the gradient family from the command line to a verdict, on digits in little."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SPEC = """
name: family
dataset: {kind: digits}
budget: {images_per_class: 2}
network: {depth: 2, width: 8}
loops: {outer_loops: 2, inner_steps: 2, snapshots: []}
evaluate:
  protocol: {name: brief, steps: 20, batch: 20}
  repeats: 1
  baselines: {random: 0, init: 0, full: 0, herding: 1, features: {epochs: 1}}
matrix:
  include:
    - {name: dc, preset: dc, inner.epochs: 2, inner.batch: 10, expect: [EXPECTED]}
    - name: dc-augmented
      preset: dc
      inner: {epochs: 2, batch: 10}
      pool: {kind: recorded, models: 1, epochs: 1}
      perturbation: {kind: filter_gaussian, directions: 1, coefficient: {law: fixed, value: 0.1}}
      expect: [EXPECTED]
    - {name: dsa, preset: dsa, inner.epochs: 2, inner.batch: 10, expect: [EXPECTED]}
    - name: idc
      preset: idc
      inner: {steps: 2}
      expect: [EXPECTED, {accuracy: 0.001, tolerance: 0.001, source: nowhere, set: herding}]
    - {name: acc-dd, preset: acc_dd, inner.steps: 2, pool.models: 1, expect: [EXPECTED]}
    - name: acc-dd-paper
      preset: {name: acc_dd, variant: 5x-paper}
      inner: {steps: 2}
      pool: {models: 1}
      expect: [EXPECTED, {above: acc-dd, source: nowhere}]
""".replace("EXPECTED", "{accuracy: 0.5, tolerance: 0.5, source: nowhere}")
"""Six methods in some twenty stages, each a process that loads torch."""
METHODS = ("dc", "dc-augmented", "dsa", "idc", "acc-dd", "acc-dd-paper")

pytestmark = pytest.mark.slow  # twenty processes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("family")
    (found / "family.yaml").write_text(SPEC)
    return found


def ddspec(folder: Path, *arguments: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ddspec", *arguments, "--json"],
        cwd=folder,
        env={**os.environ, "DDSPEC_HOME": str(folder / "store")},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_each_method_is_run_judged_and_told_apart(folder: Path) -> None:
    before = ddspec(folder, "verify", "family.yaml")
    code, answer = ddspec(folder, "verify", "family.yaml", "--run", "--device", "cpu")
    again = ddspec(folder, "verify", "family.yaml")
    (document,) = answer["documents"]
    found = {
        (one["variant"], one["set"]): one["verdict"]
        for one in document["expectations"]
        if "accuracy" in one["expected"]
    }

    assert before[0] == 4
    assert {one["verdict"] for one in before[1]["documents"][0]["expectations"]} == {"not run yet"}
    assert (code, again) == (1, (1, answer))
    assert document["left"]["stages"] == 0
    assert found.pop(("idc", "herding")) == "off"
    assert set(found) == {(name, "distilled") for name in METHODS}
    assert set(found.values()) == {"within tolerance"}  # of a single network there is no interval


def test_sets_and_scores_of_methods_differ(folder: Path) -> None:
    _, answer = ddspec(folder, "run", "family.yaml", "--device", "cpu")

    keys = [stage["key"] for stage in answer["stages"] if stage["label"].startswith("distill")]
    tensors = {(folder / one["set"]).read_bytes() for one in answer["variants"]}
    assert len(set(keys)) == len(keys) == len(METHODS)
    assert len(tensors) == len(METHODS)
