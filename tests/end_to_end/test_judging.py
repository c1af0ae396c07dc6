"""A set is judged on its way and by the best network, one by one or together, by the command line.

Real runners on real digits.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ddspec.store.store import open_store

SPEC = """
name: judged
preset: acc_dd
dataset: {kind: digits, validation: 0.2}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 1, width: 8}
pool: {models: 1, epochs: 1}
perturbation: {kind: none}
augmentation: {training: {kind: idc, operations: [color, crop]}, cutmix: 0.5}
precision: float64
loops: {outer_loops: 4, inner_steps: 2, snapshots: [2]}
evaluate:
  protocol:
    name: everything
    epochs: 12
    batch: 4
    optimizer: {kind: adamw, learning_rate: 0.01, decayed: matrices}
    decay: {kind: cosine, every: epoch, warmup: {epochs: 2, start: 0.001}}
    augmentation: {kind: dsa}
    mixup: 0.8
  repeats: 2
  best_on_validation: 3
  snapshots: true
  baselines: {random: 2, init: 1, full: 1}
"""
PATIENCE_S = 240


def called(folder: Path, home: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ddspec", *words, "judged.yaml", "--home", str(folder / home)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ran(folder: Path, home: str, *words: str) -> Any:
    words = ("run", "--device", "cpu", "--jobs", "1", "--json", *words)
    return json.loads(called(folder, home, *words))


def figures(found: Any) -> list[tuple[str, list[float], list[float]]]:
    rows = [*found["results"], *found["over_loops"]]
    return [
        (row["set"], row["accuracies"], row["best_on_validation"]["accuracies"]) for row in rows
    ]


def engines(folder: Path, home: str, found: Any) -> set[int | None]:
    """Return with how many others networks were trained that judge; None is alone."""
    store = open_store(folder / home)
    judged = [row["key"] for row in found["stages"] if row["label"].startswith("evaluate/")]
    results = [store.result(key) for key in judged]
    return {result.engine.get("ensemble") for result in results if result is not None}


@pytest.mark.slow  # some twenty process starts of torch
def test_judging_one_by_one_and_together_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "judged.yaml").write_text(SPEC, encoding="utf-8")

    alone, together = ran(tmp_path, "alone"), ran(tmp_path, "together", "--together")

    assert [row["set"] for row in alone["results"]] == ["distilled", "random", "init", "full"]
    assert [row["outer_loops"] for row in alone["over_loops"]] == [2, 4]
    # float64: accuracies are counts over images, and rounding moves no logit past another
    assert figures(together) == figures(alone)
    assert engines(tmp_path, "alone", alone) == {None}
    # two sets of two repeats, two random ones and the start, all of one size; the whole split alone
    assert engines(tmp_path, "together", together) == {7, None}
    told = called(tmp_path, "together", "results")
    assert ", where best on validation" in told
    assert ", over outer loops" in told
    classes = json.loads(called(tmp_path, "together", "results", "--per-class", "--json"))
    (variant,) = classes["variants"]
    assert {table["set"] for table in variant["results"]} == {
        *("distilled", "random", "init", "full", "to-2")
    }
