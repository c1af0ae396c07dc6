"""The task against a plain distillation, written from the papers and the description of IDC.

The oracle is one `nn.Module`, one `torch.optim.SGD` over all images stepped after every class, one
for the network: slow, float64, and without a line of the runners, but for the law of draws that
they document and, where a case augments, the policies, which have oracles of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ddspec.wire.work import DistillWork
from ddspec_runners.augment.make import make_policy

WIDTH, LOOPS = 4, 2


def seeded(*path: int | str) -> torch.Generator:
    text = json.dumps(list(path), separators=(",", ":"))
    return torch.Generator().manual_seed(
        int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
    )


class Net(nn.Module):
    """Two blocks of convolution, instance norm, ReLU and pooling; one linear layer."""

    def __init__(self, stored: dict[str, Tensor], channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 3, padding=1),
            nn.GroupNorm(WIDTH, WIDTH),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.GroupNorm(WIDTH, WIDTH),
            nn.ReLU(),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Linear(WIDTH * 4, classes)
        names = ["block0.conv", "block0.norm", "block1.conv", "block1.norm", "classifier"]
        parts = [*(self.features[i] for i in (0, 1, 4, 5)), self.classifier]
        self.double()
        with torch.no_grad():
            for name, part in zip(names, parts, strict=True):
                part.weight.copy_(stored[f"{name}.weight"])
                part.bias.copy_(stored[f"{name}.bias"])

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


class Plain:
    """Everything written out for one work."""

    def __init__(self, work: DistillWork, inputs: Mapping[str, Path]) -> None:
        self.work, self.inputs = work, inputs
        train = inputs["train"]
        facts = json.loads((train / "dataset.json").read_text())
        self.pixels = torch.from_numpy(np.load(train / "images.npy")).double() / 255
        self.labels = torch.from_numpy(np.load(train / "labels.npy"))
        self.mean = torch.tensor(facts["mean"], dtype=torch.float64).view(1, -1, 1, 1)
        self.std = torch.tensor(facts["std"], dtype=torch.float64).view(1, -1, 1, 1)
        self.classes = len(facts["classes"])
        self.factor = getattr(self.work.parameterization, "factor", 1)
        self.in_pixels = self.work.parameterization.space == "pixel"

    def normalise(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def start(self) -> Tensor:
        rows = []
        for c in range(self.classes):
            own = self.pixels[self.labels == c]
            n, f = self.work.images_per_class, self.factor
            order = torch.randperm(len(own), generator=seeded(*self.work.seed, "init", c))
            if self.work.init.kind == "real":
                rows.append(own[order[:n]])
                continue
            row = torch.zeros(n, *own.shape[1:], dtype=torch.float64)
            cell = own.shape[-1] // f
            for i in range(n):
                for k in range(f * f):
                    image = own[order[k * n + i]]
                    for y in range(cell):
                        for x in range(cell):
                            at = ((k // f) * cell + y, (k % f) * cell + x)
                            row[i, :, at[0], at[1]] = image[:, y * f, x * f]
            rows.append(row)
        start = torch.cat(rows)
        return start if self.in_pixels else self.normalise(start)

    def decode(self, images: Tensor) -> Tensor:
        if self.factor == 1:
            return images
        side = images.shape[-1] // self.factor
        grow = nn.Upsample(size=images.shape[-2:], mode="bilinear", align_corners=False)
        cells = []
        for i in range(self.factor):
            for j in range(self.factor):
                where = images[:, :, i * side : (i + 1) * side, j * side : (j + 1) * side]
                cells.append(grow(where))
        return torch.cat(cells)

    def perturbed(self, outer: int) -> Net:
        row = self.work.schedule.row(outer)
        stored = load_file(self.inputs[f"pool/{row.member}"] / "network.safetensors")
        net = Net(stored, self.pixels.shape[1], self.classes)
        shift = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
        for coefficient, seed in zip(row.coefficients, row.directions, strict=True):
            rng = seeded("direction", seed)
            for name, p in net.named_parameters():
                if p.ndim == 1:
                    continue
                direction = torch.randn(p.shape, generator=rng).double()
                for d, w, s in zip(direction, p, shift[name], strict=True):
                    ratio = w.detach().norm() / (d.norm() + 1e-10)
                    s += coefficient * 1e-9 * ratio * d
        with torch.no_grad():
            for name, p in net.named_parameters():
                p += shift[name]
        return net

    def real_batch(self, c: int, t: int) -> Tensor:
        own = (self.labels == c).nonzero().flatten()
        b = min(self.work.matcher.real_batch, len(own))
        epoch, position = divmod(t, len(own) // b)
        order = torch.randperm(len(own), generator=seeded(*self.work.seed, "real", c, epoch))
        return self.normalise(self.pixels[own[order[position * b : position * b + b]]])

    def distance(self, real: list[Tensor], syn: list[Tensor]) -> Tensor:
        spec, total = self.work.matcher, torch.zeros((), dtype=torch.float64)
        for r, s in zip(real, syn, strict=True):
            if spec.parameters == "kernels" and r.ndim != 4:
                continue
            if spec.parameters == "matrices" and r.ndim == 1:
                continue
            if spec.distance == "squared":
                total = total + ((r - s) ** 2).sum()
            elif spec.distance == "l1":
                total = total + (r - s).abs().sum()
            else:
                for a, b in zip(r, s, strict=True):
                    a, b = a.reshape(-1), b.reshape(-1)
                    total = total + 1 - (a @ b) / (a.norm() * b.norm() + 1e-6)
        return total

    def match(self, net: Net, images: Tensor, c: int, outer: int, inner: int) -> Tensor:
        """Return the matching loss of one class, differentiable in all images."""
        n = self.work.images_per_class
        views = self.decode(images[c * n : (c + 1) * n])
        if len(views) > self.work.matcher.max_views:
            rng = seeded(*self.work.seed, "views", outer, inner, c)
            views = views[torch.randperm(len(views), generator=rng)[: self.work.matcher.max_views]]
        if self.in_pixels:
            views = self.normalise(views)
        real = self.real_batch(c, outer * self.work.inner_steps + inner)
        policy = make_policy(self.work.matching_augmentation)
        rng = seeded(*self.work.seed, "augment", outer, inner, c)
        drawn = policy.draw(1, views.shape[-1], rng, shared=True)
        both = policy.apply(torch.cat((real, views)), drawn)
        gradients = []
        for part in both.split([len(real), len(views)]):
            target = torch.full((len(part),), c)
            loss = nn.CrossEntropyLoss()(net(part), target)
            gradients.append(torch.autograd.grad(loss, list(net.parameters()), create_graph=True))
        return self.distance([g.detach() for g in gradients[0]], list(gradients[1]))

    def train(self, net: Net, optimizer: torch.optim.SGD, outer: int, inner: int) -> None:
        spec, n = self.work.inner, len(self.labels)
        for step in range(spec.steps):
            t = (outer * self.work.inner_steps + inner) * spec.steps + step
            epoch, position = divmod(t, n // spec.batch)
            order = torch.randperm(n, generator=seeded(*self.work.seed, "network", epoch))
            chosen = order[position * spec.batch : (position + 1) * spec.batch]
            x, y = self.normalise(self.pixels[chosen]), self.labels[chosen]
            policy = make_policy(self.work.training_augmentation)
            rng = seeded(*self.work.seed, "network-augment", outer, inner, step)
            size = x.shape[-1]
            x = policy.apply(x, policy.draw(len(x), size, rng, shared=False))
            optimizer.zero_grad()
            self.mixed_loss(net, x, y, rng).backward()
            optimizer.step()

    def mixed_loss(self, net: Net, x: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        size = x.shape[-1]
        whether, lam, row, column = torch.rand(4, generator=rng, dtype=torch.float64).tolist()
        partner = torch.randperm(len(x), generator=rng)
        if whether >= self.work.cutmix:
            return nn.CrossEntropyLoss()(net(x), y)
        half = int(size * sqrt(1 - lam)) // 2
        mixed, area = x.clone(), 0
        for i in range(max(int(row * size) - half, 0), min(int(row * size) + half, size)):
            for j in range(max(int(column * size) - half, 0), min(int(column * size) + half, size)):
                mixed[:, :, i, j] = x[partner, :, i, j]
                area += 1
        share, logits = area / size**2, net(mixed)
        ce = nn.CrossEntropyLoss()
        return (1 - share) * ce(logits, y) + share * ce(logits, y[partner])

    def outer_loops(self) -> Iterator[tuple[Tensor, float]]:
        """Yield all images (K * n, C, H, W) and the mean loss after each outer loop."""
        update, n = self.work.update, self.work.images_per_class
        images = self.start().requires_grad_()
        # One optimiser for all images, or one a class: the two clocks.
        whole = torch.optim.SGD([images], update.learning_rate, momentum=update.momentum)
        buffer = torch.zeros_like(images)
        for outer in range(self.work.stop):
            if update.clamp == "outer_loop":
                with torch.no_grad():
                    images.clamp_(0, 1)
            net, losses = self.perturbed(outer), []
            spec = getattr(self.work.inner, "optimizer", None)
            training = spec and torch.optim.SGD(
                net.parameters(),
                spec.learning_rate,
                momentum=spec.momentum,
                weight_decay=spec.weight_decay,
            )
            for inner in range(self.work.inner_steps):
                for c in range(self.classes):
                    loss = self.match(net, images, c, outer, inner)
                    losses.append(loss.item())
                    (images.grad,) = torch.autograd.grad(loss, images)
                    if update.clock == "shared":
                        whole.step()
                        continue
                    own = slice(c * n, (c + 1) * n)
                    with torch.no_grad():
                        buffer[own] = update.momentum * buffer[own] + images.grad[own]
                        images[own] -= update.learning_rate * buffer[own]
                if training:
                    self.train(net, training, outer, inner)
            yield images.detach().clone(), sum(losses) / len(losses)


IDC = {"kind": "idc", "operations": ["color", "crop", "cutout"]}
DSA = {"kind": "dsa"}
CASES = {
    "IDC with two patches a side": {},
    "IDC with shared augmentation": {"matching_augmentation": IDC, "training_augmentation": IDC},
    "DC in normalised space": {
        "matcher": {
            "kind": "gradient",
            "distance": "cosine",
            "parameters": "matrices",
            "real_batch": 5,
        },
        "parameterization": {"kind": "pixels", "space": "normalised"},
        "init": {"kind": "real"},
        "update": {"learning_rate": 0.1, "clock": "per_class"},
        "inner": {"kind": "frozen"},
        "perturbation": {"kind": "none"},
        "matching_augmentation": DSA,
    },
    "L1 over all parameters with a subset of views": {
        "matcher": {
            "kind": "gradient",
            "distance": "l1",
            "parameters": "all",
            "real_batch": 64,
            "max_views": 5,
        },
        "update": {"learning_rate": 0.01, "momentum": 0.9},
    },
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_the_task_does_what_the_papers_say(bench: Any, changes: dict[str, Any]) -> None:
    work = bench.work(stop=LOOPS, **changes)
    expected = list(Plain(work, bench.inputs).outer_loops())
    outcome = bench.run("task", work)

    # Two orders of summation in float64 differ by 1e-15 a term; 1e-8 leaves no room for a rule.
    images = expected[-1][0].view_as(outcome.images)
    moved = (images - Plain(work, bench.inputs).start().view_as(images)).abs().max()
    assert moved > 1e-2
    assert (outcome.images - images).abs().max() < 1e-8 * moved
    assert outcome.losses == pytest.approx([loss for _, loss in expected], rel=1e-8)


def test_momentum_of_the_shared_clock_moves_the_other_classes(bench: Any) -> None:
    shared = bench.run("shared", bench.work())
    alone = bench.run("alone", bench.work(update={"learning_rate": 0.05, "clock": "per_class"}))

    assert not torch.allclose(shared.images, alone.images, atol=1e-3)
