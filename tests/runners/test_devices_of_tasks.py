"""Whole stages on an accelerator: what they find is what the CPU finds, but for rounding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from digit_jobs import SPLITS, prepare
from safetensors.torch import load_file

from ddspec.wire.job import Engine, Job, JobExit, JobStage
from ddspec.wire.work import EvaluateWork, PretrainWork, PruneWork, SelectWork
from ddspec_runners.entry import main

NETWORK = {"kind": "convnet", "depth": 2, "width": 4, "norm": "batch"}
TRAINED, DRAWN = "d" * 64, "e" * 64
DC, DSA = {"kind": "dc"}, {"kind": "dsa"}
ADAMW = {"kind": "adamw", "learning_rate": 1e-3}


pytestmark = pytest.mark.usefixtures("process_wide_switches")


def train(**changes: Any) -> JobStage:
    plain: dict[str, Any] = {
        "network": NETWORK,
        "epochs": 1,
        "batch": 64,
        "optimizer": {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 5e-4},
        "decay": None,
        "augmentation": DSA,
        "cutmix": 0.5,
        "seed": [0, "pool", 0],
        "precision": "float64",
    }
    work = PretrainWork.model_validate(plain | changes)
    return JobStage(key=TRAINED, label="pool/0", work=work, inputs={"train": SPLITS["train"]})


def cut(**changes: Any) -> JobStage:
    plain: dict[str, Any] = {
        "network": NETWORK,
        "parameters": 300,
        "epochs": 1,
        "batch": 64,
        "optimizer": {"learning_rate": 0.02},
        "augmentation": DSA,
        "cutmix": 0.5,
        "seed": [0, "pool", 1],
        "precision": "float64",
    }
    inputs = {"train": SPLITS["train"], "network": TRAINED}
    work = PruneWork.model_validate(plain | changes)
    return JobStage(key="3" * 64, label="pool/1", work=work, inputs=inputs)


def choose(kind: str, key: str = DRAWN) -> JobStage:
    named = {"network": NETWORK} if kind in ("herding", "k_center") else {}
    facts = {"selection": {"kind": kind, **named}, "images_per_class": 2, "seed": [0]}
    return JobStage(
        key=key,
        label=f"select/{kind}",
        work=SelectWork.model_validate(facts),
        inputs={"train": SPLITS["train"]} | ({} if kind == "random" else {"network": TRAINED}),
    )


def judge(repeat: int = 0, *, looks: int | None = None, **protocol: Any) -> JobStage:
    said = {"name": "short", "steps": 8, "batch": 16, "augmentation": DSA, **protocol}
    facts: dict[str, Any] = {
        "network": NETWORK,
        "protocol": said,
        "seed": [0, "evaluate", repeat],
        "precision": "float64",
        "best_on_validation": looks,
    }
    inputs = {"set": DRAWN, "test": SPLITS["test"]}
    inputs |= {"validation": SPLITS["validation"]} if looks else {}
    inputs |= {"train": SPLITS["train"]} if said.get("zca") else {}
    return JobStage(
        key=f"{repeat}".ljust(64, "f"),
        label=f"evaluate/net/{repeat}",
        work=EvaluateWork.model_validate(facts),
        inputs=inputs,
    )


BEFORE = (*map(prepare, SPLITS), train(events=True), choose("random"))
CASES: dict[str, tuple[Engine, tuple[JobStage, ...]]] = {
    "forgetting events": ("single", (train(events=True),)),
    "whitened training": ("single", (train(zca=0.1, cutmix=0.0, augmentation={"kind": "none"}),)),
    "flat minima": ("single", (train(events=True, sharpness={"rho": 0.05}),)),
    "networks cut down": ("single", (cut(),)),
    "networks cut down and whitened": ("single", (cut(zca=0.1),)),
    "herding": ("single", (choose("herding", "1" * 64),)),
    "k-center": ("single", (choose("k_center", "2" * 64),)),
    "looks at held-out images": ("single", (judge(looks=3, mixup=0.8, optimizer=ADAMW),)),
    "batches in parts": ("single", (judge(accumulate=3, cutmix=0.5),)),
    "the augmentation of DC": ("single", (judge(augmentation=DC),)),
    "whitened images": ("single", (judge(zca=0.1),)),
    "an ensemble": ("ensemble", (judge(0, looks=2, cutmix=1.0), judge(1, looks=2, cutmix=1.0))),
}


def realise(root: Path, device: Any, engine: Engine, stages: tuple[JobStage, ...]) -> None:
    job = Job(stages=stages, device=device, engine=engine)
    (root / "job").mkdir(parents=True, exist_ok=True)
    (root / "job/job.json").write_text(job.model_dump_json())
    if not (root / "inputs").exists():
        (root / "inputs").symlink_to(root / "output")
    assert main(["--root", str(root)]) == JobExit.DONE


def assert_same(found: Path, expected: Path) -> None:
    """Compare figures and tensors; in float64 only the order of sums differs."""
    ours, theirs = (
        json.loads((one / "result.json").read_text())["metrics"] for one in (found, expected)
    )
    assert ours.pop("best_on_validation", None) == theirs.pop("best_on_validation", None)
    assert ours == pytest.approx(theirs, rel=1e-8)
    for file in expected.glob("*.safetensors"):
        tensors = load_file(found / file.name)
        for name, value in load_file(file).items():
            torch.testing.assert_close(tensors[name], value, rtol=0, atol=1e-8)


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_finds_what_the_cpu_finds_in_float64(tmp_path: Path, name: str) -> None:
    engine, stages = CASES[name]
    trained = stages[0].key == TRAINED
    for device in ("cpu", "cuda"):
        before = tuple(one for one in BEFORE if not (trained and one.key == TRAINED))
        realise(tmp_path / device, "cpu", "single", before)
        realise(tmp_path / device, device, engine, stages)

    for stage in stages:
        assert_same(tmp_path / "cuda/output" / stage.key, tmp_path / "cpu/output" / stage.key)
