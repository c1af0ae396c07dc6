"""Cutting down as a stage: what it writes, how it goes on after a kill, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ddspec.wire.job import Job, JobExit, JobStage
from ddspec.wire.work import PretrainWork, PruneWork
from ddspec_runners.artifacts import write_json, write_tensors
from ddspec_runners.entry import main
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.recorded import RecordedPool
from ddspec_runners.rng import generator
from ddspec_runners.site import CHECKPOINT, Site, StopRequested
from ddspec_runners.tasks import prune

NETWORK = {"kind": "convnet", "depth": 2, "width": 8, "norm": "batch"}


def work(**changes: Any) -> PruneWork:
    plain: dict[str, Any] = {
        "network": NETWORK,
        "parameters": 600,
        "epochs": 2,
        "batch": 8,
        "optimizer": {"learning_rate": 0.05},
        "augmentation": {"kind": "dsa"},
        "cutmix": 0.5,
        "seed": (0, "pool", 0),
        "precision": "float32",
    }
    return PruneWork.model_validate(plain | changes)


class Desk:
    """A split of twelve images, a whole network, and sites for as many runs as a test wants."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inputs = {"train": root / "train", "network": root / "whole"}
        for folder in self.inputs.values():
            folder.mkdir()
        self._prepare(self.inputs["train"])
        whole = {**self.network.init(generator("whole")), **self.network.buffers()}
        self.whole = {n: t + 0.1 for n, t in whole.items()}
        write_tensors(self.inputs["network"] / "network.safetensors", self.whole)

    @property
    def network(self) -> Any:
        return make_network(work().network, channels=1, size=8, classes=3)

    def run(self, name: str, asked: PruneWork, stop_at: int = 0) -> Mapping[str, Any]:
        for kind in ("scratch", "output"):
            (self.root / name / kind).mkdir(parents=True, exist_ok=True)
        answers: list[int] = []

        def stopping() -> bool:
            answers.append(1)
            return len(answers) == stop_at

        site = Site(
            key="2" * 64,
            inputs=self.inputs,
            output=self.root / name / "output",
            scratch=self.root / name / "scratch",
            stopping=stopping,
        )
        return prune.run(asked, site)

    def written(self, name: str) -> dict[str, Tensor]:
        return load_file(self.root / name / "output/network.safetensors")

    @staticmethod
    def _prepare(folder: Path) -> None:
        images = np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)
        np.save(folder / "images.npy", images)
        np.save(folder / "labels.npy", np.repeat(np.arange(3), 4))
        card = {
            "format": "ddspec.dataset/1",
            "name": "small",
            "split": "train",
            "content": "0" * 64,
            "test_split": "none",
            "classes": ["a", "b", "c"],
            "counts": [4, 4, 4],
            "size": 8,
            "channels": 1,
            "mean": [0.5],
            "std": [0.25],
        }
        write_json(folder / "dataset.json", card)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_without_fine_tuning_numbers_are_those_of_the_whole_network(desk: Desk) -> None:
    metrics = desk.run("a", work(epochs=0))
    found = desk.written("a")

    trained = [name for name in found if "running" not in name]
    assert metrics["parameters"] == sum(found[name].numel() for name in trained) <= 600
    assert metrics.keys() == {"macs", "parameters", "channels", "epochs"}
    assert metrics["epochs"] == 0
    for name, value in found.items():
        assert torch.isin(value, desk.whole[name]).all(), name


def test_fine_tuning_moves_parameters_and_running_statistics(desk: Desk) -> None:
    desk.run("cut", work(epochs=0))
    metrics = desk.run("tuned", work(epochs=1))
    cut, tuned = desk.written("cut"), desk.written("tuned")

    assert {name: value.shape for name, value in tuned.items()} == {
        name: value.shape for name, value in cut.items()
    }
    assert not any(torch.equal(tuned[name], cut[name]) for name in tuned)
    assert metrics["epochs"] == 1
    assert metrics["train_loss"] > 0


def test_fine_tuning_learns(desk: Desk) -> None:
    plain = {"augmentation": {"kind": "none"}, "cutmix": 0.0}

    first = desk.run("first", work(epochs=1, **plain))
    last = desk.run("last", work(epochs=40, **plain))

    assert last["train_loss"] < first["train_loss"]
    assert last["train_accuracy"] > first["train_accuracy"]


@pytest.mark.parametrize("stop_at", [1, 2])
def test_a_killed_stage_goes_on_bit_equal(desk: Desk, stop_at: int) -> None:
    metrics = desk.run("whole", work(epochs=3))
    with pytest.raises(StopRequested):
        desk.run("torn", work(epochs=3), stop_at=stop_at)
    assert (desk.root / "torn/scratch" / CHECKPOINT).is_file()

    again = desk.run("torn", work(epochs=3))

    assert again == metrics
    assert equal(desk.written("torn"), desk.written("whole"))


def test_members_differ_by_their_seed_and_by_nothing_else(desk: Desk) -> None:
    for name, member in (("a", 0), ("b", 0), ("c", 1)):
        desk.run(name, work(seed=(0, "pool", member)))

    assert equal(desk.written("a"), desk.written("b"))
    assert not equal(desk.written("a"), desk.written("c"))


def test_a_pool_reads_what_is_left_and_it_classifies(desk: Desk) -> None:
    desk.run("a", work())
    pool = RecordedPool.open(
        [desk.root / "a/output"], desk.network, dtype=torch.float64, device=torch.device("cpu")
    )

    member = pool.member(0)

    images = torch.rand(2, 1, 8, 8, generator=generator("images"), dtype=torch.float64)
    assert desk.network.predict(member.params, member.buffers, images).shape == (2, 3)
    assert desk.network.apply(member.params, images).isfinite().all()
    seen = desk.network.observe(member.params, member.buffers, images)
    for name, moments in seen.norms.items():
        assert moments.mean.shape == member.buffers[f"{name}.running_mean"].shape


def test_whitened_images_are_another_training(desk: Desk) -> None:
    plain = {"augmentation": {"kind": "none"}, "cutmix": 0.0}
    desk.run("plain", work(**plain))
    desk.run("white", work(**plain, zca=0.1))

    assert not equal(desk.written("plain"), desk.written("white"))


def test_targets_out_of_reach_are_refused(desk: Desk) -> None:
    with pytest.raises(BadJob, match="cannot be cut so far"):
        desk.run("a", work(parameters=10))


def test_another_network_is_refused(desk: Desk) -> None:
    with pytest.raises(BadJob, match="holds another network"):
        desk.run("a", work(network={**NETWORK, "depth": 3}))


def test_a_whole_job_trains_a_network_and_cuts_it(
    tmp_path: Path, process_wide_switches: None
) -> None:
    desk = Desk(tmp_path)
    common = {"network": NETWORK, "batch": 8, "optimizer": {}, "augmentation": {"kind": "none"}}
    common |= {"cutmix": 0.0, "precision": "float32"}
    source = PretrainWork.model_validate(
        {**common, "epochs": 1, "decay": None, "seed": (0, "pool", "converged")}
    )
    train, whole = "a" * 64, "b" * 64
    stages = (
        JobStage(key=whole, label="pool/converged", work=source, inputs={"train": train}),
        JobStage(
            key="c" * 64,
            label="pool/0",
            work=work(flops=20_000.0, parameters=None),
            inputs={"train": train, "network": whole},
        ),
    )
    (tmp_path / "output").mkdir()
    desk.inputs["train"].rename(tmp_path / "output" / train)
    (tmp_path / "inputs").symlink_to(tmp_path / "output")
    (tmp_path / "job").mkdir()
    (tmp_path / "job/job.json").write_text(Job(stages=stages).model_dump_json())

    assert main(["--root", str(tmp_path)]) == JobExit.DONE
    assert (tmp_path / "output" / ("c" * 64) / "network.safetensors").is_file()
