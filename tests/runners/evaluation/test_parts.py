"""Batches in parts, and mixed ones, against a plain loop over modules of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.network import ConvNetSpec
from ddspec_runners.augment import mixup
from ddspec_runners.augment.make import make_policy
from ddspec_runners.evaluation.examples import Resident
from ddspec_runners.evaluation.train import Training
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.site import Site

CLASSES, SIZE, WIDTH, STEPS = 3, 8, 4, 6


def training(norm: str, **changes: Any) -> Training:
    plain: dict[str, Any] = {"name": "short", "steps": STEPS, "batch": 7, "decay": None}
    plain["optimizer"] = {"kind": "adamw", "learning_rate": 0.01}
    protocol = ProtocolSpec.model_validate(plain | changes)
    spec = ConvNetSpec(kind="convnet", depth=1, width=WIDTH, norm=norm)
    labels = torch.arange(10) % CLASSES
    noise = torch.randn(10, 1, SIZE, SIZE, generator=generator("set"), dtype=torch.float64)
    return Training(
        network=make_network(spec, channels=1, size=SIZE, classes=CLASSES),
        examples=Resident(noise + labels.view(-1, 1, 1, 1), labels),
        protocol=protocol,
        policy=make_policy(protocol.augmentation),
        seed=(3,),
        dtype=torch.float64,
    )


def site(tmp_path: Path, name: str) -> Site:
    scratch = tmp_path / name
    scratch.mkdir()
    return Site(key="0" * 64, inputs={}, output=scratch, scratch=scratch)


def module(task: Training, norm: nn.Module) -> nn.Sequential:
    """The same network made of modules, with the same start."""
    flat = nn.Linear(WIDTH * (SIZE // 2) ** 2, CLASSES)
    layers = [nn.Conv2d(1, WIDTH, 3, padding=1), norm, nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()]
    net = nn.Sequential(*layers, flat).double()
    start = task.network.init(generator(*task.seed, "network"))
    with torch.no_grad():
        for mine, theirs in zip(net.parameters(), start.values(), strict=True):
            mine.copy_(theirs)
    return net


def oracle(task: Training, norm: nn.Module, sizes: dict[int, list[int]]) -> nn.Sequential:
    """Train on parts of the given sizes, a batch's gradient being that of its mean loss."""
    net, protocol = module(task, norm), task.protocol
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.01)
    for t in range(STEPS):
        epoch, second = divmod(t, 2)  # ten images in batches of seven and three
        order = torch.randperm(10, generator=generator(*task.seed, "batches", epoch))
        images, labels = task.examples.batch(order[7 * second : 7 * second + 7])
        partner, kept = torch.arange(len(images)), 1.0
        if protocol.mixup is not None:
            drawn = mixup.draw(len(images), generator(*task.seed, "augment", t), protocol.mixup)
            partner, kept = drawn.partner, drawn.kept
        images = kept * images + (1 - kept) * images[partner]
        optimizer.zero_grad()
        start = 0
        for size in sizes[len(images)]:
            part = slice(start, start + size)
            logits = net(images[part])
            loss = kept * F.cross_entropy(logits, labels[part], reduction="sum")
            loss = loss + (1 - kept) * F.cross_entropy(
                logits, labels[partner][part], reduction="sum"
            )
            torch.autograd.backward(loss / len(images))
            start += size
        optimizer.step()
    return net


def same(found: Any, net: nn.Sequential, *, but: int | None = None) -> None:
    """Compare all parameters, `but` one, by its place."""
    values: list[Tensor] = [p.detach() for p in net.parameters()]
    pairs = zip(found.params.values(), values, strict=True)
    for place, (mine, theirs) in enumerate(pairs):
        if place != but:
            # float64: six steps of Adam, each with some 1e3 roundings over roots of small moments
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)


PARTS = {7: [3, 2, 2], 3: [1, 1, 1]}
WHOLE = {7: [7], 3: [3]}


def test_parts_add_up_to_the_gradient_of_the_whole_batch(tmp_path: Path) -> None:
    found = training("none", accumulate=3).run(site(tmp_path, "parts"))

    same(found, oracle(training("none"), nn.Identity(), WHOLE))


def test_batch_norm_sees_a_part_at_a_time(tmp_path: Path) -> None:
    found = training("batch", accumulate=3).run(site(tmp_path, "parts"))

    net = oracle(training("batch"), nn.BatchNorm2d(WIDTH), PARTS)
    # The norm takes the bias before it away: its gradient is rounding, whose sign Adam follows.
    same(found, net, but=1)
    (variance,) = (value for name, value in found.buffers.items() if name.endswith("var"))
    running = dict(net.named_buffers())["1.running_var"]
    torch.testing.assert_close(variance, running, rtol=0, atol=1e-10)


@pytest.mark.parametrize("accumulate", [None, 2])
def test_mixup_weighs_both_labels(tmp_path: Path, accumulate: int | None) -> None:
    task = training("none", mixup=0.8, accumulate=accumulate)

    same(task.run(site(tmp_path, "mixed")), oracle(task, nn.Identity(), WHOLE))


def test_a_batch_of_fewer_images_than_parts_is_cut_into_single_ones(tmp_path: Path) -> None:
    found = training("none", accumulate=6).run(site(tmp_path, "many"))

    same(found, oracle(training("none"), nn.Identity(), WHOLE))
