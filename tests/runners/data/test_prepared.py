from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ddspec_runners.data.prepared import DatasetCard, PreparedSplit, Queue
from ddspec_runners.data.statistics import ChannelStatistics
from ddspec_runners.faults import BadData


def write_split(folder: Path, *, counts: tuple[int, ...] = (3, 2), channels: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    rng = np.random.Generator(np.random.PCG64(0))
    images = rng.integers(0, 256, (sum(counts), channels, 4, 4), dtype=np.uint8)
    card = DatasetCard(
        name="shapes",
        split="train",
        content="0" * 64,
        classes=tuple(f"class{i}" for i in range(len(counts))),
        counts=counts,
        size=4,
        channels=channels,
        mean=(0.25, 0.5, 0.75)[:channels],
        std=(0.2, 0.3, 0.4)[:channels],
        test_split="made up",
    )
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", np.repeat(np.arange(len(counts)), counts))
    (folder / "dataset.json").write_text(card.model_dump_json())
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_split(tmp_path / "train")


def test_images_are_normalised_by_channel(folder: Path) -> None:
    split = PreparedSplit.open(folder)
    chosen = torch.tensor([4, 0])

    found = split.gather(chosen, dtype=torch.float64)

    for row, index in enumerate(chosen.tolist()):
        for c in range(3):
            for h in range(4):
                for w in range(4):
                    byte = int(split.images[index, c, h, w])
                    expected = (byte / 255 - split.mean[c]) / split.std[c]
                    assert found[row, c, h, w].item() == pytest.approx(expected, abs=1e-15)


def test_a_class_is_one_range(folder: Path) -> None:
    split = PreparedSplit.open(folder)

    assert [split.of_class(c) for c in range(2)] == [slice(0, 3), slice(3, 5)]
    assert split.labels[split.of_class(1)].tolist() == [1, 1]


def test_resident_bytes_give_the_same_images(folder: Path) -> None:
    split = PreparedSplit.open(folder)
    indices = torch.tensor([3, 1])

    assert split.resident(torch.device("cpu")).gather(indices).equal(split.gather(indices))
    assert split.gather(slice(1, 4)).equal(split.gather(torch.arange(1, 4)))


def test_the_file_cannot_be_changed_through_the_split(folder: Path) -> None:
    before = (folder / "images.npy").read_bytes()
    split = PreparedSplit.open(folder)

    split.images[:] = 0
    split.gather(slice(None)).zero_()

    assert (folder / "images.npy").read_bytes() == before


def _truncate(folder: Path) -> None:
    content = (folder / "images.npy").read_bytes()
    (folder / "images.npy").write_bytes(content[:-10])


def _shuffle_labels(folder: Path) -> None:
    np.save(folder / "labels.npy", np.array([0, 1, 0, 1, 0]))


def _pickle_labels(folder: Path) -> None:
    np.save(folder / "labels.npy", np.array([{}], dtype=object), allow_pickle=True)


def _other_counts(folder: Path) -> None:
    card = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(card | {"counts": [3, 3]}))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_truncate, id="truncated-images"),
        pytest.param(_shuffle_labels, id="labels-out-of-order"),
        pytest.param(_pickle_labels, id="pickled-labels"),
        pytest.param(_other_counts, id="other-counts"),
        pytest.param(lambda f: (f / "dataset.json").write_text("{}"), id="empty-facts"),
        pytest.param(lambda f: (f / "images.npy").unlink(), id="no-images"),
        pytest.param(lambda f: (f / "images.npy").write_bytes(b""), id="no-bytes"),
    ],
)
def test_a_damaged_split_is_bad_data(folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder)

    with pytest.raises(BadData, match="train"):
        PreparedSplit.open(folder)


def test_an_epoch_of_batches_covers_everything_once() -> None:
    queue = Queue((1, "batches"), 10, 4, drop=False)

    epoch = torch.cat([queue.indices(t) for t in range(3, 6)])

    assert queue.batches == 3
    assert epoch.equal(queue.permutation(1))
    assert sorted(epoch.tolist()) == list(range(10))


def test_an_incomplete_batch_is_left_out_when_asked() -> None:
    queue = Queue((1, "real", 0), 10, 4)

    assert queue.batches == 2
    assert [len(queue.indices(t)) for t in range(5)] == [4] * 5
    assert queue.indices(2).equal(queue.permutation(1)[:4])


@pytest.mark.parametrize("drop", [True, False], ids=["dropping", "keeping"])
def test_a_batch_is_never_larger_than_the_set(drop: bool) -> None:
    queue = Queue((1, "batches"), 3, 64, drop=drop)

    assert queue.batches == 1
    assert sorted(queue.indices(7).tolist()) == [0, 1, 2]


def test_a_batch_depends_on_its_position_alone() -> None:
    queue = Queue((1, "real", 5), 100, 7)
    again = Queue((1, "real", 5), 100, 7)

    assert [queue.indices(t).tolist() for t in (9, 3)] == [
        again.indices(t).tolist() for t in (9, 3)
    ]
    assert not queue.indices(0).equal(Queue((1, "real", 6), 100, 7).indices(0))


def test_statistics_are_those_of_all_pixels() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    images = rng.integers(0, 256, (7, 2, 5, 5), dtype=np.uint8)
    statistics = ChannelStatistics(2)

    for block in (images[:3], images[3:]):
        statistics.add(block)

    scaled = images.astype(np.float64) / 255
    # float64 sums of 175 numbers in [0, 1]: below 175 x 2^-53 of relative error each
    assert statistics.mean() == pytest.approx(scaled.mean((0, 2, 3)).tolist(), rel=1e-13)
    assert statistics.std() == pytest.approx(scaled.std((0, 2, 3)).tolist(), rel=1e-13)


def test_a_channel_that_never_varies_is_left_unscaled() -> None:
    statistics = ChannelStatistics(2)
    images = np.full((2, 2, 3, 3), 255, dtype=np.uint8)
    images[0, 0] = 0

    statistics.add(images)

    assert statistics.constant() == (1,)
    assert statistics.std() == (0.5, 1.0)
