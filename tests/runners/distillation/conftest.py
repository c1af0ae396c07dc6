"""A tiny dataset, a pool of two networks and a way to run a distillation on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import JsonValue
from safetensors.torch import load_file
from torch import Tensor

from ddspec.spec.augmentation import SgdSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.wire.schedule import Schedule
from ddspec.wire.work import DistillWork, PretrainWork
from ddspec_runners.site import Site
from ddspec_runners.tasks import distill, pretrain

COUNTS = (11, 9, 13)
CHANNELS, SIZE = 3, 8
NETWORK = ConvNetSpec(kind="convnet", depth=2, width=4)
MEMBERS = 2


@dataclass(slots=True)
class Calls:
    """Answers yes when asked for the n-th time, as a job that gets SIGTERM then."""

    yes_at: int
    asked: int = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked == self.yes_at


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
    def labels(self) -> Tensor:
        return load_file(self.folder / "synthetic.safetensors")["labels"]

    @property
    def velocity(self) -> Tensor:
        return load_file(self.folder / "state.safetensors")["velocity"]

    @property
    def losses(self) -> list[float]:
        lines = (self.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["loss"] for line in lines]


@dataclass(frozen=True, slots=True)
class Bench:
    """Inputs on disk, and folders for as many runs as a test wants."""

    root: Path
    inputs: Mapping[str, Path]

    def work(self, **changes: Any) -> DistillWork:
        """Return a small work that covers every part, with some of its fields changed."""
        perturbation = {
            "kind": "filter_gaussian",
            "directions": 2,
            "coefficient": {"law": "uniform_signed", "low": 0.01, "high": 0.09},
        }
        plain: dict[str, Any] = {
            "network": NETWORK,
            "images_per_class": 2,
            "start": 0,
            "stop": 2,
            "inner_steps": 3,
            "inner": {"kind": "on_real", "steps": 2, "batch": 5},
            "matcher": {"kind": "gradient", "distance": "squared", "real_batch": 4},
            "matching_augmentation": {"kind": "none"},
            "training_augmentation": {"kind": "none"},
            "cutmix": 0.5,
            "parameterization": {"kind": "multi_formation", "factor": 2},
            "init": {"kind": "mix"},
            "update": {"learning_rate": 0.05, "clamp": "outer_loop"},
            "seed": (7, "distill"),
            "precision": "float64",
            **changes,
        }
        perturbation = plain.pop("perturbation", perturbation)
        schedule = Schedule(seed=(7, "schedule"), members=MEMBERS, perturbation=perturbation)
        digest = schedule.digest(plain["start"], plain["stop"])
        return DistillWork.model_validate(
            {"schedule": schedule, "schedule_digest": digest, **plain}
        )

    def site(self, name: str, *, stop_at: int = 0, previous: Path | None = None) -> Site:
        """Return a site; the same name again is another attempt at the same stage."""
        scratch, output = self.root / name / "scratch", self.root / name / "output"
        scratch.mkdir(parents=True, exist_ok=True)
        output.mkdir(parents=True, exist_ok=True)
        more = {"previous": previous} if previous else {}
        return Site(
            key="0" * 64,
            inputs={**self.inputs, **more},
            output=output,
            scratch=scratch,
            stopping=Calls(stop_at),
        )

    def run(
        self, name: str, work: DistillWork, *, stop_at: int = 0, previous: Path | None = None
    ) -> Outcome:
        """Run the task; `stop_at` n asks it to stop after n outer loops of this attempt."""
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


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Folders of a prepared split and of the pool's members."""
    return _inputs(tmp_path_factory.mktemp("inputs"), COUNTS)


@pytest.fixture(scope="session")
def five_classes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Inputs of a split of five classes."""
    return _inputs(tmp_path_factory.mktemp("five"), (8, 11, 9, 8, 10))


def _inputs(root: Path, counts: tuple[int, ...]) -> Mapping[str, Path]:
    _write_split(root / "train", counts)
    for index in range(MEMBERS):
        _record(root, index)
    members = {f"pool/{index}": root / f"pool{index}" for index in range(MEMBERS)}
    return {"train": root / "train", **members}


@pytest.fixture
def bench(tmp_path: Path, inputs: Mapping[str, Path]) -> Bench:
    """Return a bench with empty run folders."""
    return Bench(tmp_path, inputs)


@pytest.fixture
def write_split() -> Callable[[Path], None]:
    """Return the writer of the tiny prepared split."""
    return _write_split


def _write_split(folder: Path, counts: tuple[int, ...] = COUNTS) -> None:
    folder.mkdir()
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = rng.integers(40, 200, size=(len(counts), CHANNELS, SIZE, SIZE))
    noise = rng.integers(-40, 40, size=(len(labels), CHANNELS, SIZE, SIZE))
    np.save(folder / "images.npy", (centres[labels] + noise).astype(np.uint8))
    np.save(folder / "labels.npy", labels.astype(np.int64))
    facts = {
        "format": "ddspec.dataset/1",
        "name": "tiny",
        "split": "train",
        "content": "0" * 64,
        "classes": [*"abcde"[: len(counts)]],
        "counts": counts,
        "size": SIZE,
        "channels": CHANNELS,
        "mean": [0.4, 0.5, 0.45],
        "std": [0.2, 0.3, 0.25],
        "test_split": "none",
    }
    (folder / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")


def _record(root: Path, index: int) -> None:
    work = PretrainWork(
        network=NETWORK,
        epochs=1,
        batch=8,
        optimizer=SgdSpec(),
        decay=None,
        augmentation={"kind": "none"},
        cutmix=0.0,
        seed=(7, "pool", index),
        precision="float64",
    )
    output = root / f"pool{index}"
    scratch = root / f"scratch{index}"
    output.mkdir()
    scratch.mkdir()
    site = Site(key="1" * 64, inputs={"train": root / "train"}, output=output, scratch=scratch)
    pretrain.run(work, site)
