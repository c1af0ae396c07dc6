"""What is learned and forgotten in training, as Toneva et al. count it; and its resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ddspec.wire.work import PretrainWork
from ddspec_runners.artifacts import write_tensors
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.selection.forgetting import EVENTS, NEVER, Events, read_events
from ddspec_runners.site import Site, StopRequested
from ddspec_runners.tasks import pretrain

COUNTS = (11, 9, 13)
CPU = torch.device("cpu")


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Noise around a centre of each class, in which a small network errs and learns."""
    folder = tmp_path / "train"
    folder.mkdir()
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(3), COUNTS)
    images = rng.integers(80, 120, (3, 1, 8, 8))[labels] + rng.integers(-79, 80, (33, 1, 8, 8))
    np.save(folder / "images.npy", images.astype(np.uint8))
    np.save(folder / "labels.npy", labels)
    facts = {
        "name": "tiny",
        "split": "train",
        "content": "0" * 64,
        "classes": ["a", "b", "c"],
        "counts": COUNTS,
        "size": 8,
        "channels": 1,
        "mean": [0.4],
        "std": [0.2],
        "test_split": "none",
    }
    (folder / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def work(**changes: Any) -> PretrainWork:
    plain: dict[str, Any] = {
        "network": {"kind": "convnet", "depth": 2, "width": 4},
        "epochs": 6,
        "batch": 11,
        "optimizer": {"learning_rate": 0.05},
        "decay": None,
        "augmentation": {"kind": "none"},
        "cutmix": 0.0,
        "seed": (0, "select", "features"),
        "precision": "float64",
        "events": True,
    }
    return PretrainWork.model_validate(plain | changes)


def run(root: Path, train: Path, asked: PretrainWork, stop_at: int = 0) -> Mapping[str, Tensor]:
    """Run the task; `stop_at` n stops this attempt after n epochs. Returns the events."""
    for name in ("output", "scratch"):
        (root / name).mkdir(parents=True, exist_ok=True)
    calls: list[int] = []

    def stopping() -> bool:
        calls.append(1)
        return len(calls) == stop_at

    pretrain.run(
        asked,
        Site(
            key="5" * 64,
            inputs={"train": train},
            output=root / "output",
            scratch=root / "scratch",
            stopping=stopping,
        ),
    )
    return load_file(root / "output" / EVENTS)


def test_an_image_is_forgotten_when_it_was_right_the_last_time_and_is_not_now() -> None:
    events = Events.none(20, CPU)
    seen: list[list[tuple[int, bool]]] = [[] for _ in range(20)]
    rng = generator("batches")
    for epoch in range(8):
        for batch in torch.randperm(20, generator=rng)[:15].split(5):
            right = torch.rand(5, generator=rng) < 0.6
            events.note(epoch, batch, right)
            for image, hit in zip(batch.tolist(), right.tolist(), strict=True):
                seen[image].append((epoch, hit))

    forgotten = [
        sum(before and not after for (_, before), (_, after) in pairwise(one)) for one in seen
    ]
    learned = [next((epoch for epoch, hit in one if hit), NEVER) for one in seen]
    assert events.forgotten.tolist() == forgotten
    assert events.learned.tolist() == learned
    assert sum(forgotten) > 20


def test_a_network_that_does_not_move_forgets_nothing(tmp_path: Path, train: Path) -> None:
    still = {"learning_rate": 1e-30, "momentum": 0.0, "weight_decay": 0.0}

    found = run(tmp_path / "still", train, work(optimizer=still))

    split = PreparedSplit.open(train)
    network = make_network(work().network, channels=1, size=8, classes=3)
    params = network.init(generator(*work().seed, "init"))
    right = network.apply(params, split.gather(slice(0, 33))).argmax(1) == split.labels
    assert found["forgotten"].tolist() == [0] * 33
    assert found["learned"].tolist() == [0 if one else NEVER for one in right.tolist()]
    assert 0 < right.sum() < 33


def test_a_network_in_training_learns_and_forgets(tmp_path: Path, train: Path) -> None:
    found = run(tmp_path / "moving", train, work())

    assert found["forgotten"].sum() > 0
    assert (found["learned"] > 0).any()
    assert set(found) == {"forgotten", "learned"}
    assert (found["forgotten"][found["learned"] == NEVER] == 0).all()


def test_counting_changes_no_network(tmp_path: Path, train: Path) -> None:
    run(tmp_path / "counted", train, work())
    with pytest.raises(FileNotFoundError):
        run(tmp_path / "plain", train, work(events=None))

    files = [tmp_path / name / "output" / "network.safetensors" for name in ("counted", "plain")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_events_survive_a_stop(tmp_path: Path, train: Path) -> None:
    whole = run(tmp_path / "whole", train, work())
    with pytest.raises(StopRequested):
        run(tmp_path / "stopped", train, work(), stop_at=3)

    again = run(tmp_path / "stopped", train, work())

    assert all(again[name].equal(whole[name]) for name in whole)


def test_events_of_other_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="cannot be read"):
        read_events(tmp_path, 4)
    write_tensors(tmp_path / EVENTS, {"forgotten": torch.zeros(3), "learned": torch.zeros(3)})
    with pytest.raises(BadJob, match="no `forgotten` of 4 training images"):
        read_events(tmp_path, 4)
