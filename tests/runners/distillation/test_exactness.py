"""Shards, segments and resumed runs are bit-equal to one uninterrupted run, in float32."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ddspec_runners.site import CHECKPOINT, StopRequested

FAST: dict[str, Any] = {"precision": "float32", "inner_steps": 2}
UPDATES = {
    "shared clock": {"learning_rate": 0.05, "clock": "shared", "clamp": "outer_loop"},
    "per-class clock": {"learning_rate": 0.05, "clock": "per_class"},
}
AUGMENTED = {"kind": "idc", "operations": ["color", "crop", "cutout"]}


@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
@pytest.mark.parametrize("cuts", [(0, 1, 3), (0, 1, 2, 3)], ids=["one and two", "each alone"])
def test_class_shards_are_bit_equal_to_the_whole(
    bench: Any, update: dict[str, Any], cuts: tuple[int, ...]
) -> None:
    settings = {**FAST, "update": update, "matching_augmentation": AUGMENTED}
    whole = bench.run("whole", bench.work(**settings))
    shards = [
        bench.run(
            f"shard{start}",
            bench.work(**settings, classes={"start": start, "stop": stop, "of": 3}),
        )
        for start, stop in pairwise(cuts)
    ]

    assert torch.equal(torch.cat([shard.images for shard in shards]), whole.images)
    assert torch.equal(torch.cat([shard.velocity for shard in shards]), whole.velocity)
    assert torch.equal(torch.cat([shard.labels for shard in shards]), whole.labels)


def test_a_shard_labels_its_images_by_the_numbering_of_all_classes(bench: Any) -> None:
    shard = bench.run("b", bench.work(**FAST, stop=1, classes={"start": 1, "stop": 3, "of": 3}))

    assert shard.labels.tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize("loops_before_kill", [1, 2])
def test_a_killed_run_goes_on_bit_equal(bench: Any, loops_before_kill: int) -> None:
    work = bench.work(**FAST, stop=3)
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=loops_before_kill)
    (bench.root / "torn/output/metrics.jsonl").unlink()
    resumed = bench.run("torn", work)

    assert resumed.progress[0] == (loops_before_kill + 1, 3, "outer loops")
    assert torch.equal(resumed.images, whole.images)
    assert torch.equal(resumed.velocity, whole.velocity)
    assert resumed.losses == whole.losses
    assert resumed.metrics == whole.metrics


def test_every_file_is_equal_after_a_resume(bench: Any) -> None:
    work = bench.work(**FAST)
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=1)
    resumed = bench.run("torn", work)

    assert contents(resumed.folder) == contents(whole.folder)


def test_fewer_outer_loops_are_the_first_part_of_more(bench: Any) -> None:
    short = bench.run("short", bench.work(**FAST, stop=1))
    with pytest.raises(StopRequested):
        bench.run("long", bench.work(**FAST, stop=3), stop_at=1)
    halfway = load_file(bench.root / "long/scratch" / CHECKPOINT)

    assert torch.equal(halfway["images"], short.images)
    assert torch.equal(halfway["velocity"], short.velocity)


def test_a_chain_of_segments_equals_one_run(bench: Any) -> None:
    whole = bench.run("whole", bench.work(**FAST, stop=3))
    first = bench.run("first", bench.work(**FAST, stop=1))
    second = bench.run("second", bench.work(**FAST, start=1, stop=3), previous=first.folder)

    assert torch.equal(second.images, whole.images)
    assert torch.equal(second.velocity, whole.velocity)
    assert first.losses + second.losses == whole.losses
    assert second.metrics == whole.metrics


def test_a_killed_segment_goes_on_from_its_own_checkpoint(bench: Any) -> None:
    first = bench.run("first", bench.work(**FAST, stop=1))
    work = bench.work(**FAST, start=1, stop=3)
    whole = bench.run("whole", work, previous=first.folder)
    with pytest.raises(StopRequested):
        bench.run("torn", work, previous=first.folder, stop_at=1)
    resumed = bench.run("torn", work, previous=first.folder)

    assert torch.equal(resumed.images, whole.images)
    assert resumed.losses == whole.losses


def test_another_seed_gives_other_images(bench: Any) -> None:
    one = bench.run("one", bench.work(**FAST, stop=1))
    other = bench.run("other", bench.work(**FAST, stop=1, seed=(8, "distill")))

    assert not torch.equal(one.images, other.images)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("clock", ["shared", "per_class"])
def test_images_clamped_at_every_step_stay_within_bounds_in_shards_too(
    bench: Any, clock: str
) -> None:
    update = {"learning_rate": 0.5, "clock": clock, "clamp": "every_step"}
    whole = bench.run("whole", bench.work(**FAST, update=update))
    free = bench.run("free", bench.work(**FAST, update={**update, "clamp": "none"}))
    part = bench.run(
        "part", bench.work(**FAST, update=update, classes={"start": 1, "stop": 3, "of": 3})
    )

    assert free.images.min() < 0
    assert whole.images.min() == 0
    assert whole.images.max() <= 1
    assert torch.equal(part.images, whole.images[1:])
