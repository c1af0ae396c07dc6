"""Shards, segments and resumed runs of recovery are bit-equal to one uninterrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ddspec.wire.work import MergeWork
from ddspec_runners.faults import BadJob
from ddspec_runners.site import StopRequested
from ddspec_runners.tasks import merge

FAST: dict[str, Any] = {"precision": "float32", "stop": 4, "loops": 4}
STEADY = {"kind": "adam", "learning_rate": 0.1}
CROPS = {"kind": "imagenet", "jitter": 0.0, "lighting": 0.0, "min_area": 0.2}


@pytest.mark.parametrize("keep", ["last", "best"])
def test_class_shards_are_bit_equal_to_the_whole(bench: Any, keep: str) -> None:
    settings = {**FAST, "matcher": {"keep": keep}, "matching_augmentation": CROPS}
    whole = bench.run("whole", bench.work(**settings))
    shards = [
        bench.run(
            f"shard{start}",
            bench.work(**settings, classes={"start": start, "stop": stop, "of": 5}),
        )
        for start, stop in ((0, 3), (3, 5))
    ]

    assert torch.cat([shard.images for shard in shards]).equal(whole.images)
    for name, tensor in whole.state.items():
        assert torch.cat([shard.state[name] for shard in shards]).equal(tensor)
    weighed = [(3 * a + 2 * b) / 5 for a, b in zip(*(s.losses for s in shards), strict=True)]
    assert whole.losses == pytest.approx(weighed, rel=1e-12)


def test_merged_shards_are_the_files_of_the_whole(bench: Any) -> None:
    whole = bench.run("whole", bench.work(**FAST))
    shards = {
        f"shard/{start}": bench.run(
            f"shard{start}", bench.work(**FAST, classes={"start": start, "stop": stop, "of": 5})
        ).folder
        for start, stop in ((0, 3), (3, 5))
    }
    site = bench.site("merged")
    site.inputs = {f"shard/{i}": folder for i, folder in enumerate(shards.values())}
    metrics = merge.run(MergeWork(shards=2), site)

    for name in ("synthetic.safetensors", "card.json", "grid.png", "state.safetensors"):
        assert (site.output / name).read_bytes() == (whole.folder / name).read_bytes()
    # a mean of means rounds otherwise than the mean
    assert metrics == {**whole.metrics, "loss": pytest.approx(whole.losses[-1], rel=1e-12)}


@pytest.mark.parametrize("classes", [(1, 5), (0, 2)], ids=["begins within", "ends within"])
def test_a_shard_that_cuts_a_batch_is_refused(bench: Any, classes: tuple[int, int]) -> None:
    start, stop = classes
    work = bench.work(**FAST, classes={"start": start, "stop": stop, "of": 5})

    with pytest.raises(BadJob, match="of a batch of 3 classes"):
        bench.run("cut", work)


def test_batches_of_one_class_are_learned_alone(bench: Any) -> None:
    alone = {**FAST, "matcher": {"classes_per_batch": 1}}
    whole = bench.run("whole", bench.work(**alone))
    one = bench.run("one", bench.work(**alone, classes={"start": 2, "stop": 3, "of": 5}))

    assert one.images.equal(whole.images[2:3])


@pytest.mark.usefixtures("every_loop")
@pytest.mark.parametrize(
    ("asked", "keep"),
    [(1, "last"), (4, "best"), (7, "last"), (8, "last"), (11, "best"), (25, "last")],
)
def test_a_killed_run_goes_on_with_every_file_bit_equal(bench: Any, asked: int, keep: str) -> None:
    """A batch of four outer loops asks seven times whether to stop; there are four batches."""
    work = bench.work(**FAST, matcher={"keep": keep})
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=asked)
    resumed = bench.run("torn", work)

    assert resumed.files == whole.files
    assert resumed.metrics == whole.metrics
    assert resumed.progress == whole.progress[-len(resumed.progress) :]
    assert len(resumed.progress) < len(whole.progress)


@pytest.mark.usefixtures("every_loop")
def test_a_checkpoint_without_its_finished_batches_is_worth_nothing(bench: Any) -> None:
    work = bench.work(**FAST)
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=10)
    (bench.root / "torn/scratch/batch-0.safetensors").unlink()
    resumed = bench.run("torn", work)

    assert len(resumed.progress) == len(whole.progress)
    assert resumed.files == whole.files


@pytest.mark.parametrize(
    "changes",
    [
        {"update": {**STEADY, "decay": {"kind": "cosine", "every": "step"}}},
        {"update": STEADY, "loops": None},
        {"update": {**STEADY, "averaging": 0.9}, "loops": None},
        {"update": {"learning_rate": 1.0, "clock": "joint"}, "loops": None},
        {"update": STEADY, "loops": None, "matcher": {"keep": "best"}},
    ],
    ids=["decaying", "steady", "averaged", "SGD", "best"],
)
def test_a_chain_of_segments_equals_one_run(bench: Any, changes: dict[str, Any]) -> None:
    settings = {**FAST, **changes}
    whole = bench.run("whole", bench.work(**settings))
    first = bench.run("first", bench.work(**{**settings, "stop": 1}))
    second = bench.run("second", bench.work(**settings, start=1), previous=first.folder)

    assert second.images.equal(whole.images)
    assert first.losses + second.losses == whole.losses
    assert second.metrics == whole.metrics
    assert second.state.keys() == whole.state.keys()
    assert all(second.state[name].equal(whole.state[name]) for name in whole.state)


def test_memory_is_published_only_where_a_segment_may_go_on(bench: Any) -> None:
    on_the_way = bench.run("first", bench.work(**{**FAST, "stop": 1}))
    last = bench.run("whole", bench.work(**FAST))

    assert set(on_the_way.state) == {"images", "first", "second"}
    assert set(last.state) == {"images"}


def test_a_segment_after_another_set_is_refused(bench: Any) -> None:
    other = bench.run("other", bench.work(**{**FAST, "stop": 1, "images_per_class": 3}))

    with pytest.raises(BadJob, match=r"`images` in .*state.safetensors is not \(5, 2, 3, 8, 8\)"):
        bench.run("next", bench.work(**FAST, start=1), previous=other.folder)


def test_a_state_that_cannot_be_read_is_named(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "state.safetensors").write_bytes(b"nothing of the kind")

    with pytest.raises(BadJob, match="cannot be read"):
        bench.run("next", bench.work(**FAST, start=1), previous=tmp_path)


def test_batches_do_not_depend_on_how_many_images_there_are(bench: Any) -> None:
    """Where images are drawn one by one: with noise a class draws all of its images at once."""
    few = bench.work(**FAST, init={"kind": "real", "draw": "first"})
    more = bench.work(**FAST, init={"kind": "real", "draw": "first"}, images_per_class=3)

    assert bench.run("more", more).images[:, :2].equal(bench.run("few", few).images)


def test_another_seed_gives_other_images(bench: Any) -> None:
    one = bench.run("one", bench.work(**FAST))
    other = bench.run("other", bench.work(**FAST, seed=(8, "distill")))

    assert not one.images.equal(other.images)
