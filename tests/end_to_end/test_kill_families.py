"""Every family under SIGKILL, from the command line: bit-equal to a run left in peace.

The other is in one process, stage by stage. The run that is killed also has two shards where it has
one, so that both are compared: what a shard, or a job that goes on from a checkpoint, leaves has
the bits of the whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from ddspec.executors.local import LocalExecutor
from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.run.dispatch import site_of
from ddspec.spec.load import load_text
from ddspec.store.store import Store, open_store
from ddspec_runners.site import Site
from ddspec_runners.tasks.table import TASKS

PATIENCE_S = 500
KILLS_AFTER = (6, 14, 22, 34)
"""Stages that are published when a run is killed, a part of a second later."""
RATE = {"name": "rate", "epochs": 2, "batch": 10, "learned_rate": True}
STUDENT: dict[str, Any] = {
    "pool": {"models": 2, "epochs": 2},
    "inner": {"steps": 3},
    "matcher": {"max_start": 2, "expert_epochs": 1},
    "loops": {"outer_loops": 8},
    "evaluate.protocol": RATE,
}
RECOVERED: dict[str, Any] = {
    "network": {"kind": "convnet", "depth": 2, "width": 8, "norm": "batch"},
    "loops": {"outer_loops": 30},
    "evaluate.protocol": {
        "name": "taught",
        "epochs": 2,
        "batch": 10,
        "teaching": {"temperature": 20.0},
    },
}
EARLY = {"epochs": 2, "record": {"every": 1, "first": 1, "last": 2}}
CUT = {
    "models": 2,
    "parameters": 900,
    "epochs": [0, 1],
    "converged": {"kind": "trained", "epochs": 1},
}
QUEUE = {"start": 2, "every": 2, "most": 3, "steps": 2, "batch": 32}


def spec(shards: int) -> str:
    """Return small specs of all families, as one matrix; JSON is YAML."""
    several = {"resources": {"shards": shards}}
    chunks, two = {"classes_per_batch": 5}, {"models_per_image": 2}
    variants: list[dict[str, Any]] = [
        {"name": "mtt", "preset": "mtt", **STUDENT},
        {
            "name": "tesla",
            "preset": "tesla",
            **STUDENT,
            "labels": {"kind": "learned", "learning_rate": 1.0},
            "evaluate.protocol": {**RATE, "name": "soft", "teaching": {"temperature": 1.0}},
        },
        {"name": "ftd", "preset": "ftd", **STUDENT},
        {"name": "dm", "preset": "dm", "loops": {"outer_loops": 8, "snapshots": [4]}, **several},
        {"name": "dm-short", "preset": "dm", "loops": {"outer_loops": 4}, **several},
        {"name": "idm", "preset": "idm", "pool": QUEUE, "loops": {"outer_loops": 6}, **several},
        {
            "name": "sre2l",
            "preset": "sre2l",
            **RECOVERED,
            "pool": {"epochs": 2},
            "matcher": chunks,
            "labels": {"stored": "per_view"},
            **several,
        },
        {
            "name": "prior",
            "preset": "teddy_prior",
            **RECOVERED,
            "pool": EARLY,
            "matcher": {**chunks, **two},
            **several,
        },
        {"name": "post", "preset": "teddy_post", **RECOVERED, "pool": CUT, "matcher": two},
    ]
    return json.dumps(
        {
            "name": "families",
            "dataset": {"kind": "digits"},
            "budget": {"images_per_class": 2},
            "network": {"kind": "convnet", "depth": 2, "width": 8},
            "evaluate": {
                "protocol": {"name": "brief", "epochs": 2, "batch": 10},
                "repeats": 1,
                "baselines": {"random": 0, "random_hard": 0, "init": 0, "full": 0},
            },
            "matrix": {"include": variants},
        },
        indent=1,
    )


@dataclass(frozen=True, slots=True)
class World:
    """A spec on disk and a store for it."""

    folder: Path
    shards: int

    @property
    def store(self) -> Store:
        return open_store(self.folder / "home")

    @property
    def plan(self) -> Plan:
        return compile_spec(load_text(spec(self.shards), "families.yaml"))

    def start(self) -> subprocess.Popen[str]:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "families.yaml").write_text(spec(self.shards))
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "ddspec", "run", "families.yaml", "--json", "--jobs", "2"),
                *("--home", str(self.folder / "home"), "--device", "cpu"),
            ],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> None:
        _, err = (host := self.start()).communicate(timeout=PATIENCE_S)
        assert host.returncode == 0, err

    def jobs(self) -> list[int]:
        """Return the leading process of each job of this store that still lives."""
        executor = LocalExecutor(site_of(self.store))
        return [int(json.loads(handle)[2]) for handle in executor.find(self.store.id).values()]

    def outputs(self) -> dict[str, Path]:
        """Return the folders of all stages that are published, by key."""
        folders = {
            stage.key or "": self.store.layout.object(stage.key or "") for stage in self.plan
        }
        return {key: folder for key, folder in folders.items() if folder.is_dir()}


def in_peace(plan: Plan, root: Path) -> dict[str, str]:
    """Run every stage in this process, and return the digests of what they wrote."""
    outputs: dict[str, Path] = {}
    for number, stage in enumerate(plan):
        output, scratch = root / str(number), root / f"{number}-scratch"
        output.mkdir(parents=True)
        scratch.mkdir()
        inputs = {name: outputs[label] for name, label in stage.upstream.items()}
        site = Site(key=stage.key or "", inputs=inputs, output=output, scratch=scratch)
        TASKS[stage.work.kind](stage.work, site)
        outputs[stage.label] = output
    return digests({stage.key or "": outputs[stage.label] for stage in plan})


def digests(outputs: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of every tensor file, by key and name."""
    return {
        f"{key}:{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for key, folder in outputs.items()
        for path in sorted(folder.glob("*"))
        if path.suffix in (".safetensors", ".npy")
    }


def killed(session: int) -> int:
    """Send SIGKILL to every process of a job; return 1 if any lived."""
    try:
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


@pytest.mark.slow  # some eighty processes that load torch
def test_killed_and_in_shards_every_family_ends_with_the_same_bits(
    tmp_path: Path,
) -> None:
    torch.set_num_threads(1)
    whole = compile_spec(load_text(spec(1), "families.yaml"))
    expected = in_peace(whole, tmp_path / "peaceful")
    troubled, kills = World(tmp_path / "troubled", shards=2), 0
    for turn, published in enumerate(KILLS_AFTER):
        host = troubled.start()
        while host.poll() is None and len(troubled.outputs()) < published:
            time.sleep(0.1)
        time.sleep(hashlib.sha256(f"moment {turn}".encode()).digest()[0] / 256)
        host.send_signal(signal.SIGKILL)
        host.communicate()
        kills += sum(killed(session) for session in troubled.jobs())
    troubled.finish()

    actual = digests(troubled.outputs())
    both = expected.keys() & actual.keys()
    assert {name: actual[name] for name in both} == {name: expected[name] for name in both}
    # shards are besides what they are merged to, under the key of the whole
    assert expected.keys() < actual.keys()
    assert kills > 1


def test_experts_and_outer_loops_that_two_methods_share_are_one_stage() -> None:
    loaded = load_text(spec(1), "families.yaml")
    labels = {variant.name: set(variant.labels) for variant in compile_spec(loaded).variants}

    assert {"pool/0@mtt", "pool/1@mtt"} <= labels["mtt"] & labels["tesla"]
    assert not labels["ftd"] & {"pool/0@mtt", "pool/1@mtt"}
    assert "distill/to-4@dm" in labels["dm"] & labels["dm-short"]
