"""Pools that hold several networks of one training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ddspec.wire.work import PretrainWork
from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.faults import BadJob
from ddspec_runners.site import Site, StopRequested
from ddspec_runners.tasks import pretrain

RECORD = (0, 1, 3)
NORMS = {
    norm: {"kind": "convnet", "depth": 2, "width": 4, "norm": norm}
    for norm in ("instance", "batch")
}


class Calls:
    """Answers yes when asked for the n-th time."""

    def __init__(self, yes_at: int) -> None:
        self.yes_at, self.asked = yes_at, 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked == self.yes_at


class Desk:
    """Runs the recording of a run in folders of a test."""

    def __init__(self, root: Path, train: Path) -> None:
        self.root, self.train = root, train

    def run(self, name: str, stop_at: int = 0, **changes: Any) -> Path:
        """Return the folder of the output, which is new at every attempt; scratch stays."""
        scratch = self.root / name
        scratch.mkdir(parents=True, exist_ok=True)
        output = self.root / f"{name}-output-{len(list(self.root.iterdir()))}"
        output.mkdir()
        work = PretrainWork.model_validate(
            {
                "network": NORMS["instance"],
                "epochs": 3,
                "batch": 8,
                "optimizer": {"learning_rate": 0.05},
                "decay": None,
                "augmentation": {"kind": "dsa"},
                "cutmix": 0.5,
                "seed": (7, "pool", 0),
                "precision": "float64",
                "record": RECORD,
                **changes,
            }
        )
        inputs = {"train": self.train}
        site = Site(key="2" * 64, inputs=inputs, output=output, scratch=scratch)
        site.stopping = Calls(stop_at)
        pretrain.run(work, site)
        return output


@pytest.fixture
def desk(tmp_path: Path, inputs: Mapping[str, Path]) -> Desk:
    return Desk(tmp_path, inputs["train"])


def same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("norm", NORMS)
def test_each_snapshot_is_the_network_of_a_shorter_run(desk: Desk, norm: str) -> None:
    folder = desk.run("a", network=NORMS[norm])

    assert sorted(contents(folder)) == [f"epoch-{epoch}.safetensors" for epoch in RECORD]
    for epoch in RECORD:
        # the same seed, and fewer epochs of it
        shorter = desk.run(f"to{epoch}", network=NORMS[norm], epochs=epoch, record=None)
        alone = shorter / "network.safetensors"
        assert same(load_file(folder / f"epoch-{epoch}.safetensors"), load_file(alone))


@pytest.mark.parametrize("stop_at", [1, 2])
def test_a_killed_run_leaves_the_same_snapshots(desk: Desk, stop_at: int) -> None:
    whole = desk.run("a")
    with pytest.raises(StopRequested):
        desk.run("b", stop_at)

    assert contents(desk.run("b")) == contents(whole)


def test_a_checkpoint_without_its_snapshots_is_not_gone_on_from(desk: Desk) -> None:
    whole = desk.run("a")
    with pytest.raises(StopRequested):
        desk.run("b", 2)
    (desk.root / "b" / "epoch-1.safetensors").unlink()

    assert contents(desk.run("b")) == contents(whole)


def pool_of(bench: Any, desk: Desk, record: tuple[int, ...]) -> tuple[Any, list[Path]]:
    folders = [desk.run(f"run{i}", seed=(7, "pool", i)) for i in range(2)]
    work = bench.work(record=record, inner={"kind": "frozen"}, stop=3)
    schedule = work.schedule.model_copy(update={"members": 2 * len(record)})
    work = work.model_copy(
        update={"schedule": schedule, "schedule_digest": schedule.digest(0, work.stop)}
    )
    site = bench.site("pool")
    site.inputs = {**bench.inputs, "pool/0": folders[0], "pool/1": folders[1]}
    return (work, site), folders


def test_a_member_is_a_snapshot_of_a_run(bench: Any, desk: Desk) -> None:
    (work, site), folders = pool_of(bench, desk, RECORD)
    pool: Any = assemble(work, site).stream.starts.pool

    for member in range(6):
        name = f"epoch-{RECORD[member % 3]}.safetensors"
        assert same(pool.member(member).params, load_file(folders[member // 3] / name))
    assert bench.run_at(site, work).images.isfinite().all()


def test_an_epoch_that_was_not_recorded_is_named(bench: Any, desk: Desk) -> None:
    (work, site), _ = pool_of(bench, desk, (0, 2))

    with pytest.raises(BadJob, match=r"no epoch-2.safetensors in .*run0.*, .*run1"):
        assemble(work, site)
