"""Networks that are trained on real images before an outer loop begins (IDC on ImageNet-10)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.start import Point
from ddspec_runners.pools.stream import NetworkStream
from ddspec_runners.rng import generator
from ddspec_runners.site import StopRequested

DSA = {"kind": "dsa"}
WARM = {
    "inner": {"kind": "on_real", "steps": 2, "batch": 8, "warmup": {"epochs": 2}},
    "networks": {"kind": "fresh"},
    "perturbation": {"kind": "none"},
    "training_augmentation": DSA,
    "cutmix": 0.0,
}
"""Of 33 images, an epoch has 4 batches of 8."""


def window(bench: Any, name: str, outer: int, **changes: Any) -> list[Point]:
    parts = assemble(bench.work(**{**WARM, **changes}), bench.site(name))
    assert isinstance(parts.stream, NetworkStream)
    return list(parts.stream.window(outer))


def test_the_warm_up_and_the_steps_after_it_are_one_plain_training(bench: Any) -> None:
    outer, seed = 1, (7, "distill")
    split = PreparedSplit.open(bench.inputs["train"])
    whole = split.gather(slice(0, len(split)), dtype=torch.float64)
    spec = bench.work().network
    start = make_network(spec, channels=3, size=8, classes=3).init(generator(*seed, "fresh", outer))
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(4, 4), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1), nn.GroupNorm(4, 4), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(16, 3),
    ).double()  # fmt: skip
    with torch.no_grad():
        for own, value in zip(net.parameters(), start.values(), strict=True):
            own.copy_(value)
    # one optimiser: its momentum outlives the warm-up
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    policy = make_policy(bench.work(training_augmentation=DSA).training_augmentation)

    def step(chosen: torch.Tensor, *path: int | str) -> None:
        draws = policy.draw(8, 8, generator(*seed, *path), shared=False)
        optimizer.zero_grad()
        logits = net(policy.apply(whole[chosen], draws))
        nn.CrossEntropyLoss()(logits, split.labels[chosen]).backward()
        optimizer.step()

    for epoch in range(2):
        order = torch.randperm(33, generator=generator(*seed, "warmup", outer, epoch))
        for b in range(4):
            step(order[8 * b : 8 * b + 8], "warmup-augment", outer, epoch, b)
    warm = [value.detach().clone() for value in net.parameters()]
    for b in range(2):
        # the walk over all outer loops: 3 steps of 2 batches before this one, of 4 an epoch
        epoch, position = divmod(outer * 3 * 2 + b, 4)
        order = torch.randperm(33, generator=generator(*seed, "network", epoch))
        step(order[8 * position : 8 * position + 8], "network-augment", outer, 0, b)

    first, second, *_ = window(bench, "a", outer)
    # float64, 10 steps: sums in another order differ by some 1e-15 each
    for seen, value in zip(first.params.values(), warm, strict=True):
        assert torch.allclose(seen, value, rtol=1e-10, atol=1e-12)
    for seen, own in zip(second.params.values(), net.parameters(), strict=True):
        assert torch.allclose(seen, own, rtol=1e-10, atol=1e-12)


def test_every_outer_loop_is_warmed_up_anew(bench: Any) -> None:
    one, again, other = (
        window(bench, str(i), outer)[0].params for i, outer in enumerate((0, 0, 1))
    )

    assert torch.equal(one["classifier.weight"], again["classifier.weight"])
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])


@pytest.mark.parametrize("clock", ["shared", "per_class"])
def test_shards_of_warmed_up_networks_are_parts_of_the_whole(bench: Any, clock: str) -> None:
    settings = {**WARM, "update": {"learning_rate": 0.05, "clock": clock}, "precision": "float32"}
    whole = bench.run("whole", bench.work(**settings))
    part = bench.run("part", bench.work(**settings, classes={"start": 1, "stop": 3, "of": 3}))

    assert torch.equal(part.images, whole.images[1:])


def test_a_killed_run_goes_on_bit_equal(bench: Any) -> None:
    work = bench.work(**WARM, stop=3, precision="float32")
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=2)
    resumed = bench.run("torn", work)

    assert torch.equal(resumed.images, whole.images)
