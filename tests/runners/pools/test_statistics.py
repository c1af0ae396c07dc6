"""Statistics of batch norm from real images, by hand, and what matching sees of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec.spec.network import ConvNetSpec
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.functional.gradients import (
    differentiable_gradient,
    parameter_gradient,
    watched,
)
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.statistics import RealStatistics
from ddspec_runners.rng import generator

COUNTS = (20, 5)
NETWORK = make_network(
    ConvNetSpec(kind="convnet", depth=1, width=2, norm="batch"), channels=1, size=4, classes=2
)
NAMES = ("block0.norm.running_mean", "block0.norm.running_var")


@pytest.fixture
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


def params() -> dict[str, Tensor]:
    return {name: value.double() for name, value in NETWORK.init(generator(3)).items()}


def buffers() -> dict[str, Tensor]:
    return {name: value.double() for name, value in NETWORK.buffers().items()}


def test_sixteen_images_a_class_move_the_statistics_by_a_tenth(split: PreparedSplit) -> None:
    weights, before = params(), buffers()
    moved = RealStatistics(NETWORK, split, (9,)).moved(weights, before, 4, 2)

    chosen = []
    for label, (first, count) in enumerate([(0, 20), (20, 5)]):
        rng = generator(9, "statistics", 4, 2, label)
        chosen += [first + i for i in torch.randperm(count, generator=rng).tolist()[:16]]
    assert len(chosen) == 16 + 5
    x = (torch.from_numpy(split.images[chosen]).double() / 255 - 0.5) / 0.25
    maps = F.conv2d(x, weights["block0.conv.weight"], weights["block0.conv.bias"], padding=1)
    for channel in range(2):
        values = maps[:, channel].flatten().tolist()
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
        assert moved[NAMES[0]][channel].item() == pytest.approx(0.1 * mean, rel=1e-12)
        assert moved[NAMES[1]][channel].item() == pytest.approx(0.9 + 0.1 * variance, rel=1e-12)
    assert before[NAMES[1]].tolist() == [1, 1]
    assert not any(value.requires_grad for value in moved.values())


def test_each_step_draws_its_own_images(split: PreparedSplit) -> None:
    statistics = RealStatistics(NETWORK, split, (9,))
    one, again, other, later = (
        statistics.moved(params(), buffers(), *at)[NAMES[0]]
        for at in ((0, 0), (0, 0), (0, 1), (1, 0))
    )

    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, later)


def test_frozen_statistics_leave_images_alone_with_each_other() -> None:
    weights = params()
    names = tuple(weights)
    frozen = {NAMES[0]: torch.tensor([0.3, -0.1]), NAMES[1]: torch.tensor([0.5, 2.0])}
    frozen = {name: value.double() for name, value in frozen.items()}
    images = torch.randn(2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator())
    leaves = watched(weights, names)

    both = parameter_gradient(NETWORK, leaves, names, images, 1, frozen)
    alone = [
        parameter_gradient(NETWORK, leaves, names, images[i : i + 1], 1, frozen) for i in (0, 1)
    ]
    by_batch = parameter_gradient(NETWORK, leaves, names, images, 1)

    # a mean over images that do not see each other is the mean of their own gradients
    for together, one, other in zip(both, *alone, strict=True):
        assert torch.allclose(together, (one + other) / 2, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(both[0], by_batch[0])
    again = differentiable_gradient(NETWORK, leaves, names, images, 1, frozen)
    assert all(torch.equal(a, b) for a, b in zip(both, again, strict=True))
