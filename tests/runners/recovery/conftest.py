"""Five classes, two runs of a network with batch norm recorded three times, and works on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import JsonValue
from safetensors.torch import load_file
from torch import Tensor

from ddspec.spec.network import ConvNetSpec
from ddspec.spec.optimizer import SgdSpec
from ddspec.wire.schedule import Schedule
from ddspec.wire.work import DistillWork, PretrainWork, rows_read
from ddspec_runners.distillation import batchwise
from ddspec_runners.site import Site
from ddspec_runners.tasks import distill, pretrain

COUNTS = (11, 9, 13, 10, 8)
CHANNELS, SIZE = 3, 8
NETWORK = ConvNetSpec(kind="convnet", depth=2, width=4, norm="batch")
RUNS, RECORD = 2, (1, 2, 3)
MEMBERS = RUNS * len(RECORD)


@dataclass(slots=True)
class StopAfter:
    """Answers yes from the n-th time on; 0 is never."""

    times: int
    asked: int = 0

    def __call__(self) -> bool:
        self.asked += 1
        return 0 < self.times <= self.asked


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of the task left."""

    folder: Path
    metrics: Mapping[str, JsonValue]
    progress: tuple[tuple[int, int, str], ...]

    @property
    def images(self) -> Tensor:
        return load_file(self.folder / "synthetic.safetensors")["images"]

    @property
    def state(self) -> dict[str, Tensor]:
        return load_file(self.folder / "state.safetensors")

    @property
    def losses(self) -> list[float]:
        lines = (self.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["loss"] for line in lines]

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@dataclass(frozen=True, slots=True)
class Bench:
    """Inputs on disk, and folders for as many runs as a test wants."""

    root: Path
    inputs: Mapping[str, Path]
    plain: Mapping[str, Any] = field(default_factory=dict)

    def work(self, *, matcher: Mapping[str, Any] | None = None, **changes: Any) -> DistillWork:
        """Return a work of two images a class, three classes a batch, two networks an image."""
        given: dict[str, Any] = {
            "network": NETWORK,
            "images_per_class": 2,
            "start": 0,
            "stop": 5,
            "inner_steps": 1,
            "inner": {"kind": "frozen"},
            "matcher": {
                "kind": "statistics",
                "models_per_image": 2,
                "classes_per_batch": 3,
                "batch_norm": 0.1,
                "first_layer": 3.0,
                "roll": {"low": -2, "high": 3},
                **(matcher or {}),
            },
            "matching_augmentation": {"kind": "none"},
            "training_augmentation": {"kind": "none"},
            "cutmix": 0.0,
            "parameterization": {"kind": "pixels", "space": "normalised"},
            "init": {"kind": "noise"},
            "update": {
                "kind": "adam",
                "learning_rate": 0.25,
                "betas": [0.5, 0.9],
                "clamp": "every_step",
                "decay": {"kind": "cosine", "every": "step"},
            },
            "seed": (7, "distill"),
            "precision": "float64",
            "loops": 5,
            "record": RECORD,
            "members": MEMBERS,
            "perturbation": {"kind": "none"},
            **self.plain,
            **changes,
        }
        several = given["matcher"]["models_per_image"]
        schedule = Schedule(
            seed=(7, "schedule"),
            members=given.pop("members"),
            perturbation=given.pop("perturbation"),
            apart=several if several > 1 else None,
        )
        blank = DistillWork.model_validate(
            {**given, "schedule": schedule, "schedule_digest": "0" * 64}
        )
        rows = rows_read(blank.matcher, blank.images_per_class, blank.start, blank.stop)
        return blank.model_copy(update={"schedule_digest": schedule.digest(rows.start, rows.stop)})

    def site(self, name: str, *, stop_at: int = 0, previous: Path | None = None) -> Site:
        """Return a site; the same name again is another attempt at the same stage."""
        scratch, output = self.root / name / "scratch", self.root / name / "output"
        scratch.mkdir(parents=True, exist_ok=True)
        output.mkdir(parents=True, exist_ok=True)
        return Site(
            key="0" * 64,
            inputs={**self.inputs, **({"previous": previous} if previous else {})},
            output=output,
            scratch=scratch,
            stopping=StopAfter(stop_at),
        )

    def run(
        self, name: str, work: DistillWork, *, stop_at: int = 0, previous: Path | None = None
    ) -> Outcome:
        """Run the task; `stop_at` n asks it to stop as it asks for the n-th time."""
        return self.run_at(self.site(name, stop_at=stop_at, previous=previous), work)

    def run_at(self, site: Site, work: DistillWork) -> Outcome:
        """Run the task at a site."""
        seen: list[tuple[int, int, str]] = []
        site.emit = lambda done, total, unit, _: seen.append((done, total, unit))
        metrics = distill.run(work, site)
        return Outcome(site.output, metrics, tuple(seen))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Make float32 results exact: they are so for a fixed number of threads only."""
    torch.set_num_threads(1)


@pytest.fixture
def every_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs report, and write a checkpoint, after every outer loop of a batch."""
    monkeypatch.setattr(batchwise, "REPORT_S", 0.0)
    monkeypatch.setattr(batchwise, "CHECKPOINT_S", 0.0)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Folders of a prepared split and of the pool's runs."""
    root = tmp_path_factory.mktemp("recovery")
    _write_split(root / "train")
    runs = {f"pool/{index}": _record(root, index) for index in range(RUNS)}
    return {"train": root / "train", **runs}


@pytest.fixture
def bench(tmp_path: Path, inputs: Mapping[str, Path]) -> Bench:
    """Return a bench with empty run folders."""
    return Bench(tmp_path, inputs)


@pytest.fixture
def member(inputs: Mapping[str, Path]) -> Callable[[int], dict[str, Tensor]]:
    """Return the reader of what a member of the pool holds."""

    def read(index: int) -> dict[str, Tensor]:
        run, snapshot = divmod(index, len(RECORD))
        return load_file(inputs[f"pool/{run}"] / f"epoch-{RECORD[snapshot]}.safetensors")

    return read


def _write_split(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(len(COUNTS)), COUNTS)
    centres = rng.integers(40, 200, size=(len(COUNTS), CHANNELS, SIZE, SIZE))
    noise = rng.integers(-40, 40, size=(len(labels), CHANNELS, SIZE, SIZE))
    np.save(folder / "images.npy", (centres[labels] + noise).astype(np.uint8))
    np.save(folder / "labels.npy", labels.astype(np.int64))
    facts = {
        "format": "ddspec.dataset/1",
        "name": "tiny",
        "split": "train",
        "content": "0" * 64,
        "classes": [*"abcde"],
        "counts": COUNTS,
        "size": SIZE,
        "channels": CHANNELS,
        "mean": [0.4, 0.5, 0.45],
        "std": [0.2, 0.3, 0.25],
        "test_split": "none",
    }
    (folder / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")


def _record(root: Path, index: int) -> Path:
    work = PretrainWork(
        network=NETWORK,
        epochs=max(RECORD),
        batch=8,
        optimizer=SgdSpec(),
        decay=None,
        augmentation={"kind": "none"},
        cutmix=0.0,
        seed=(7, "pool", index),
        precision="float64",
        record=RECORD,
    )
    output, scratch = root / f"pool{index}", root / f"scratch{index}"
    output.mkdir()
    scratch.mkdir()
    site = Site(key="1" * 64, inputs={"train": root / "train"}, output=output, scratch=scratch)
    pretrain.run(work, site)
    return output
