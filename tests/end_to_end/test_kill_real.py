"""The whole tool under SIGKILL: real runners on real digits, bit-equal to a run left in peace."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ddspec.executors.local import LocalExecutor
from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Plan
from ddspec.run.dispatch import site_of
from ddspec.spec.load import load_text
from ddspec.store.store import Store, open_store

LOOPS = 12
SPEC = f"""
name: tiny
dataset: {{kind: digits, validation: 0.2}}
budget: {{images_per_class: 1}}
network: {{kind: convnet, depth: 1, width: 8}}
pool: {{kind: recorded, models: 2, epochs: 2}}
perturbation:
  kind: filter_gaussian
  directions: 2
  coefficient: {{law: uniform_signed, low: 0.01, high: 0.09}}
inner: {{kind: on_real, steps: 4, batch: 64}}
augmentation:
  matching: {{kind: dsa}}
  training: {{kind: idc, operations: [color, crop]}}
  cutmix: 0.5
matcher: {{kind: gradient, distance: l1, real_batch: 32}}
update: {{learning_rate: 1e-3, clock: shared, clamp: outer_loop}}
loops: {{outer_loops: {LOOPS}, inner_steps: 8, snapshots: [5]}}
evaluate:
  protocol: {{name: short, steps: 60}}
  repeats: 2
  baselines: {{random: 2, init: 1, full: 1}}
"""
ROUNDS = 6
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

    def finish(self) -> dict[str, object]:
        out, err = (host := self.start()).communicate(timeout=PATIENCE_S)
        assert host.returncode == 0, err
        answer: dict[str, object] = json.loads(out)
        return answer

    def jobs(self) -> list[int]:
        """Return the leading process of each job of this store that still lives."""
        executor = LocalExecutor(site_of(self.store))
        return [int(json.loads(handle)[2]) for handle in executor.find(self.store.id).values()]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_plan(load_text(SPEC, "tiny.yaml").experiment)


def digests(world: World, plan: Plan) -> dict[str, str]:
    """Return the SHA-256 of every tensor file in the store, by label and name."""
    return {
        f"{stage.label}:{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for stage in plan
        for path in sorted(world.store.layout.object(stage.key or "").glob("*"))
        if path.suffix in (".safetensors", ".npy")
    }


@pytest.mark.slow  # a dozen process starts of torch
def test_killed_at_many_moments_a_run_ends_with_the_same_bits(tmp_path: Path, plan: Plan) -> None:
    peaceful, troubled = World(tmp_path / "peaceful"), World(tmp_path / "troubled")
    expected = peaceful.finish()

    kills = 0
    for turn in range(ROUNDS):
        moment = hashlib.sha256(f"moment {turn}".encode()).digest()[0]
        host = troubled.start()
        try:
            host.wait(1.5 + 7 * moment / 256)
        except subprocess.TimeoutExpired:
            host.send_signal(signal.SIGKILL)
        host.communicate()
        if turn % 2:
            for session in troubled.jobs():
                kills += kill_session(session)
    actual = troubled.finish()

    assert digests(troubled, plan) == digests(peaceful, plan)
    assert actual["results"] == expected["results"]
    assert kills > 0
    assert troubled.jobs() == []
    assert loops_done(troubled, plan) <= LOOPS + kills


def kill_session(session: int) -> int:
    """Send SIGKILL to every process of a job, its supervisor first; return 1 if any lived."""
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            break
        time.sleep(0.02)
    return 1


def loops_done(world: World, plan: Plan) -> int:
    """Return how many outer loops were finished over all attempts."""
    records = [
        world.store.layout.scratch / (stage.key or "") / "events.jsonl"
        for stage in plan
        if stage.label.startswith("distill")
    ]
    lines = [json.loads(line) for record in records for line in record.read_text().splitlines()]
    return sum(line["event"] == "progress" for line in lines)
