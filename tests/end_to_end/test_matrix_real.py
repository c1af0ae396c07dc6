"""A matrix of real digits under SIGKILL: it goes on, shares its pool, ends with the same bits."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ddspec.executors.local import LocalExecutor
from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.run.dispatch import site_of
from ddspec.spec.load import load_text
from ddspec.store.store import Store, open_store

SPEC = """
name: tiny
dataset: {kind: digits, validation: 0.2}
network: {kind: convnet, depth: 1, width: 8}
pool: {kind: recorded, models: 2, epochs: 2}
perturbation:
  kind: filter_gaussian
  directions: 2
  coefficient: {law: uniform_signed, low: 0.01}
inner: {kind: on_real, steps: 4, batch: 64}
matcher: {kind: gradient, distance: l1, real_batch: 32}
update: {learning_rate: 1e-3, clamp: outer_loop}
loops: {outer_loops: 8, inner_steps: 8}
evaluate:
  protocol: {name: short, steps: 60}
  repeats: 1
  baselines: {random: 1, init: 0, full: 0}
matrix:
  budget.images_per_class: [1, 2]
  perturbation.coefficient.high: [0.02, 0.09]
"""
KILLS = 4
BETWEEN_S = 2.0
PATIENCE_S = 240


@dataclass(frozen=True, slots=True)
class World:
    """A spec on disk and a store for it."""

    folder: Path

    @property
    def store(self) -> Store:
        return open_store(self.folder / "home")

    def start(self) -> subprocess.Popen[str]:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "tiny.yaml").write_text(SPEC)
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "ddspec", "run", "tiny.yaml", "--json", "--jobs", "2"),
                *("--home", str(self.folder / "home"), "--device", "cpu"),
            ],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> dict[str, Any]:
        out, err = (host := self.start()).communicate(timeout=PATIENCE_S)
        assert host.returncode == 0, err
        answer: dict[str, Any] = json.loads(out)
        return answer

    def kill(self) -> None:
        """Start a run, and kill it and every job of it a moment later."""
        host = self.start()
        try:
            host.wait(BETWEEN_S)
        except subprocess.TimeoutExpired:
            host.send_signal(signal.SIGKILL)
        host.communicate()
        for handle in LocalExecutor(site_of(self.store)).find(self.store.id).values():
            kill_session(int(json.loads(handle)[2]))

    def digests(self, plan: Plan) -> dict[str, str]:
        """Return the SHA-256 of every tensor file in the store, by label and name."""
        return {
            f"{stage.label}:{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
            for stage in plan
            for path in sorted(self.store.layout.object(stage.key or "").glob("*"))
            if path.suffix in (".safetensors", ".npy")
        }


def kill_session(session: int) -> None:
    """Send SIGKILL to every process of a job, and wait until none is left."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(session, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.02)


def untimed(variants: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return results of variants without what was measured with a clock."""
    clocks = {"cost", "costs"}
    told = [
        {name: value for name, value in one["evidence"].items() if name not in clocks}
        for one in variants
    ]
    return [{**one, "evidence": evidence} for one, evidence in zip(variants, told, strict=True)]


@pytest.mark.slow  # two dozen process starts of torch
def test_a_matrix_killed_again_and_again_ends_with_the_same_bits(tmp_path: Path) -> None:
    plan = compile_spec(load_text(SPEC, "tiny.yaml"))
    peaceful, troubled = World(tmp_path / "peaceful"), World(tmp_path / "troubled")
    expected = peaceful.finish()

    for _ in range(KILLS):
        troubled.kill()
    actual = troubled.finish()

    assert troubled.digests(plan) == peaceful.digests(plan)
    assert untimed(actual["variants"]) == untimed(expected["variants"])
    assert [len(one["results"]) for one in actual["variants"]] == [2] * 4
    made = [stage["label"] for stage in actual["stages"] if stage["label"].startswith("pool")]
    assert made == ["pool/0", "pool/1"]
