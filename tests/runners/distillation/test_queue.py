"""A queue of networks in whole runs: the same in every shard, kept by files and checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.distillation.queued import Queued
from ddspec_runners.faults import BadJob
from ddspec_runners.site import CHECKPOINT, StopRequested
from ddspec_runners.tasks import distill

NETWORKS = {
    "kind": "online",
    "start": 1,
    "every": 2,
    "most": 2,
    "trained": 1,
    "steps": 2,
    "batch": 5,
}
QUEUE: dict[str, Any] = {
    "precision": "float32",
    "inner_steps": 2,
    "inner": {"kind": "frozen"},
    "networks": NETWORKS,
}


def state(outcome: Any) -> dict[str, Tensor]:
    return load_file(outcome.folder / "state.safetensors")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("inner", ["frozen", "on_real"])
def test_class_shards_are_bit_equal_and_keep_the_same_queue(bench: Any, inner: str) -> None:
    moving = {"kind": "on_real", "steps": 1, "batch": 5} if inner == "on_real" else {"kind": inner}
    settings = {**QUEUE, "inner": moving, "stop": 3}
    whole = bench.run("whole", bench.work(**settings))
    parts = [
        bench.run(
            f"from-{start}", bench.work(**settings, classes={"start": start, "stop": stop, "of": 3})
        )
        for start, stop in [(0, 1), (1, 3)]
    ]

    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    queue = {name: tensor for name, tensor in state(whole).items() if name.startswith("queue/")}
    assert {name.split("/")[1] for name in queue} == {"1", "2"}
    for part in parts:
        own = state(part)
        assert all(own[name].equal(tensor) for name, tensor in queue.items())


@pytest.mark.parametrize("loops_before_kill", [1, 2, 3])
def test_a_killed_run_ends_with_the_same_bytes(bench: Any, loops_before_kill: int) -> None:
    work = bench.work(**QUEUE, stop=4)
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=loops_before_kill)

    resumed = bench.run("torn", work)

    assert resumed.progress[0] == (loops_before_kill + 1, 4, "outer loops")
    assert contents(resumed.folder) == contents(whole.folder)


def test_a_chain_of_segments_equals_one_run(bench: Any) -> None:
    whole = bench.run("whole", bench.work(**QUEUE, stop=4))
    first = bench.run("first", bench.work(**QUEUE, stop=3))

    second = bench.run("second", bench.work(**QUEUE, start=3, stop=4), previous=first.folder)

    assert torch.equal(second.images, whole.images)
    assert all(tensor.equal(state(whole)[name]) for name, tensor in state(second).items())


def test_a_checkpoint_that_lacks_a_network_of_the_queue_is_set_aside(bench: Any) -> None:
    work = bench.work(**QUEUE, stop=3)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=1)
    checkpoint = bench.root / "torn/scratch" / CHECKPOINT
    with safe_open(checkpoint, framework="pt") as file:
        metadata = file.metadata()
    kept = {name: t for name, t in load_file(checkpoint).items() if not name.startswith("queue/1")}
    save_file(kept, checkpoint, metadata)

    resumed = bench.run("torn", work)

    assert resumed.progress[0] == (1, 3, "outer loops")
    assert checkpoint.with_suffix(".damaged").exists()


def test_a_state_without_the_queue_is_no_state_to_go_on_from(bench: Any) -> None:
    pooled = bench.run("pooled", bench.work(precision="float32", inner_steps=2, stop=1))

    with pytest.raises(BadJob, match=r"`queue/0/.*` in .* is not"):
        bench.run("next", bench.work(**QUEUE, start=1, stop=2), previous=pooled.folder)


def test_networks_are_perturbed_for_matching_alone(bench: Any) -> None:
    still = {"perturbation": {"kind": "none"}}
    moved, plain = (
        bench.run(name, bench.work(**QUEUE, **more))
        for name, more in [("moved", {}), ("plain", still)]
    )

    assert not torch.equal(moved.images, plain.images)
    queues = [
        {name: t for name, t in state(one).items() if name.startswith("queue/")}
        for one in (moved, plain)
    ]
    assert all(tensor.equal(queues[1][name]) for name, tensor in queues[0].items())


def test_what_is_matched_on_knows_the_accuracy_of_its_training(bench: Any) -> None:
    work = bench.work(**{**QUEUE, "networks": {**NETWORKS, "start": 1, "most": 1, "every": 50}})
    loops = assemble(work, bench.site("a"))
    assert isinstance(loops, Queued)
    queue = loops.pool.trained(loops.pool.grown(loops.pool.fresh(), 0), 0)

    accuracy = loops.pool.snapshot(queue, 1).accuracy

    assert accuracy is not None
    right = queue["queue/1/correct"].item()
    assert accuracy.item() == pytest.approx(right / 10, rel=1e-7)
    assert 0 < right < 10
    assert queue["queue/1/seen"].item() == 10
    assert queue["queue/1/steps"].item() == 2


@pytest.mark.parametrize(("large", "written"), [(0, False), (2**25, True)])
def test_a_large_state_is_put_down_seldom(
    bench: Any, monkeypatch: pytest.MonkeyPatch, large: int, written: bool
) -> None:
    monkeypatch.setattr(distill, "LARGE", large)

    bench.run("a", bench.work(**QUEUE, stop=3))

    assert (bench.root / "a/scratch" / CHECKPOINT).exists() == written
