"""The queue of networks against a plain rendering of IDM's loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ddspec.spec.method import OnlinePoolSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.spec.perturbation import NoPerturbationSpec
from ddspec.wire.schedule import Schedule
from ddspec_runners.augment.none import Identity
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.online import PREFIX, OnlinePool, PickedFromQueue
from ddspec_runners.pools.training import RealTraining
from ddspec_runners.rng import generator

COUNTS, SEED = (20, 5), (9,)
NETWORK = make_network(
    ConvNetSpec(kind="convnet", depth=1, width=2, norm="batch"), channels=1, size=4, classes=2
)
QUEUE: dict[str, Any] = {"kind": "online", "start": 2, "every": 2, "most": 3, "trained": 2}
TRAINING = {"steps": 3, "batch": 8}
OPTIMIZERS = {
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
    "adam": {"kind": "adam", "learning_rate": 0.01},
}
LOOPS = 7
ENTERED = (0, 2, 4, 6)
"""Outer loops in which a network enters, with `every: 2`."""


def split() -> PreparedSplit:
    card = DatasetCard(
        name="tiny",
        split="train",
        content="0" * 64,
        classes=("a", "b"),
        counts=COUNTS,
        size=4,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        test_split="none",
    )
    images = np.random.default_rng(1).integers(0, 256, size=(25, 1, 4, 4)).astype(np.uint8)
    labels = torch.arange(2).repeat_interleave(torch.tensor(COUNTS))
    return PreparedSplit(card, images, labels)


def pool(**changes: Any) -> OnlinePool:
    spec = OnlinePoolSpec.model_validate({**QUEUE, **TRAINING, **changes})
    training = RealTraining(NETWORK, split(), Identity(), 0.0)
    return OnlinePool(spec, training, SEED, torch.float64, torch.device("cpu"))


def after(online: OnlinePool, loops: int) -> dict[str, Tensor]:
    queue = online.fresh()
    for outer in range(loops):
        queue = online.trained(online.grown(queue, outer), outer)
    return queue


class Plain:
    """One network of IDM's lists: module, optimiser and meter."""

    def __init__(self, number: int, optimizer: str) -> None:
        self.number = number
        drawn = NETWORK.init(generator(*SEED, "queue", "init", number))
        self.module = nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1),
            nn.BatchNorm2d(2),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8, 2),
        ).double()
        with torch.no_grad():
            for own, value in zip(self.module.parameters(), drawn.values(), strict=True):
                own.copy_(value)
        settings = dict(OPTIMIZERS[optimizer])
        if settings.pop("kind", "sgd") == "adam":
            settings["lr"] = settings.pop("learning_rate")
            self.optimizer: Any = torch.optim.Adam(self.module.parameters(), **settings)
        else:
            settings["lr"] = settings.pop("learning_rate")
            self.optimizer = torch.optim.SGD(self.module.parameters(), **settings)
        self.right = self.seen = 0

    def train(self, images: Tensor, labels: Tensor) -> None:
        logits = self.module(images)
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(logits, labels).backward()
        self.optimizer.step()
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
            self.right += row.index(max(row)) == label
            self.seen += 1


def plainly(optimizer: str, loops: int) -> list[Plain]:
    data = split()
    pixels = torch.from_numpy(data.images).double()
    images = (pixels / 255 - 0.5) / 0.25
    queue = [Plain(0, optimizer), Plain(1, optimizer)]
    for outer in range(loops):
        if outer in ENTERED:
            if len(queue) == 3:
                queue.pop(0)
            queue.append(Plain(queue[-1].number + 1, optimizer))
        rng = generator(*SEED, "queue", "train", outer)
        for position in torch.randperm(len(queue), generator=rng).tolist()[:2]:
            one = queue[position]
            for step in range(3):
                rng = generator(*SEED, "queue", "batch", outer, one.number, step)
                batch = torch.randperm(25, generator=rng)[:8]
                one.train(images[batch], data.labels[batch])
    return queue


@pytest.mark.parametrize("loops", [1, 3, LOOPS])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_queue_is_that_of_a_plain_loop(optimizer: str, loops: int) -> None:
    online = pool(optimizer=OPTIMIZERS[optimizer])
    queue = after(online, loops)
    plain = plainly(optimizer, loops)

    assert [one.number for one in plain] == list(online.members(loops - 1))
    for one in plain:
        snapshot = online.snapshot(queue, one.number)
        own = list(snapshot.params.values())
        for ours, theirs in zip(own, one.module.parameters(), strict=True):
            # 21 steps in float64, of values below 2 whose rounding Adam may divide by 1e-8
            assert torch.allclose(ours, theirs, rtol=0, atol=1e-9)
        norm: Any = one.module[1]
        moments = (norm.running_mean, norm.running_var)
        for ours, theirs in zip(snapshot.buffers.values(), moments, strict=True):
            assert torch.allclose(ours, theirs, rtol=0, atol=1e-9)
        accuracy = one.right / one.seen if one.seen else 0.0
        assert snapshot.accuracy is not None
        assert snapshot.accuracy.item() == pytest.approx(accuracy, abs=1e-15)


@pytest.mark.parametrize("outer", range(LOOPS))
def test_shapes_are_those_of_the_queue_that_an_outer_loop_finds(outer: int) -> None:
    online = pool()
    queue = after(online, outer)

    assert {name: tensor.shape for name, tensor in queue.items()} == online.shapes(outer)
    assert all(name.startswith(PREFIX) for name in queue)


@pytest.mark.parametrize(
    ("most", "start", "held"),
    [
        pytest.param(100, 3, [4, 4, 5, 5, 6], id="room"),
        pytest.param(4, 3, [4, 4, 4, 4, 4], id="full at once"),
        pytest.param(2, 2, [2, 2, 2, 2, 2], id="full before"),
    ],
)
def test_the_oldest_leave_when_there_are_too_many(most: int, start: int, held: list[int]) -> None:
    online = pool(most=most, start=start)

    assert [len(online.members(outer)) for outer in range(5)] == held
    assert online.members(4).stop == start + 3


def test_every_network_of_the_queue_is_picked_at_times() -> None:
    online = pool(every=1000)

    picked = [online.picked(outer) for outer in range(60)]

    # of three equally likely ones, one would be missing by chance in 3 * (2/3)^60 < 1e-9 of cases
    assert set(picked) == {0, 1, 2}


def test_a_loop_leaves_the_queue_that_it_was_given() -> None:
    online = pool()
    before = online.grown(online.fresh(), 0)
    kept = {name: tensor.clone() for name, tensor in before.items()}
    moved = online.trained(before, 0)

    assert all(before[name].equal(tensor) for name, tensor in kept.items())
    assert not all(moved[name].equal(tensor) for name, tensor in kept.items())


def test_parameters_come_in_the_order_of_the_network_from_a_file_in_any_order() -> None:
    online = pool()
    queue = after(online, 1)
    law = Schedule(seed=SEED, members=1, perturbation=NoPerturbationSpec(kind="none"))
    mixed = {name: queue[name] for name in sorted(queue, reverse=True)}
    start = PickedFromQueue(online, mixed).start(law.row(0))

    assert list(start.params) == list(NETWORK.init(generator(0)))
