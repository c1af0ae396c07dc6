"""Whole presets written out plainly: what an oracle of distillation is made of.

One `nn.Module`, one `torch.optim.SGD` over the one tensor of all images, one for the network, and
autograd: slow, float64, from the papers of DC, DSA, IDC and Acc-DD and the description of their
codes. Of the runners only the laws of draws are taken: which images, which operation and how
strong, which directions, what a fresh network starts from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from math import sqrt
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from plain_augmentation import augmented
from safetensors.torch import load_file
from torch import Tensor, nn

from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import DistillWork
from ddspec_runners.augment.make import make_policy
from ddspec_runners.nets.make import make_network

Draws: TypeAlias = Mapping[str, Tensor]
Batch: TypeAlias = "tuple[Tensor, Tensor, torch.Generator]"
"""Augmented images, their labels, and what is left to draw of CutMix."""


def seeded(*path: int | str) -> torch.Generator:
    """Return the generator of a seed path."""
    text = json.dumps(list(path), separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


class Net(nn.Module):
    """Blocks of convolution, norm, ReLU and average pooling, then one linear layer."""

    def __init__(
        self, spec: ConvNetSpec, channels: int, size: int, classes: int, stored: Draws
    ) -> None:
        super().__init__()
        depth, width, batch = spec.depth, spec.width, spec.norm == "batch"
        parts: dict[str, nn.Module] = {}
        for i in range(depth):
            parts[f"block{i}.conv"] = nn.Conv2d(width if i else channels, width, 3, padding=1)
            parts[f"block{i}.norm"] = nn.BatchNorm2d(width) if batch else nn.GroupNorm(width, width)
        parts["classifier"] = nn.Linear(width * (size >> depth) ** 2, classes)
        self.depth = depth
        self.parts = nn.ModuleDict({name.replace(".", "-"): p for name, p in parts.items()})
        self.double()
        with torch.no_grad():
            for name, part in parts.items():
                part.weight.copy_(stored[f"{name}.weight"])
                part.bias.copy_(stored[f"{name}.bias"])

    def features(self, x: Tensor) -> Tensor:
        """Return what enters the classifier."""
        for i in range(self.depth):
            x = torch.relu(self.parts[f"block{i}-norm"](self.parts[f"block{i}-conv"](x)))
            x = F.avg_pool2d(x, 2)
        return x.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.parts["classifier"](self.features(x))


class Plain:
    """Everything written out for one work."""

    def __init__(self, work: DistillWork, inputs: Mapping[str, Path]) -> None:
        self.work, self.inputs = work, inputs
        train = inputs["train"]
        facts = json.loads((train / "dataset.json").read_text(encoding="utf-8"))
        self.pixels = torch.from_numpy(np.load(train / "images.npy")).double() / 255
        self.labels = torch.from_numpy(np.load(train / "labels.npy"))
        self.mean = torch.tensor(facts["mean"], dtype=torch.float64).view(-1, 1, 1)
        self.std = torch.tensor(facts["std"], dtype=torch.float64).view(-1, 1, 1)
        self.classes, self.size = len(facts["classes"]), facts["size"]
        self.factor = getattr(work.parameterization, "factor", 1)
        self.n = work.images_per_class

    def outer_loops(self) -> Iterator[tuple[Tensor, float]]:
        """Yield all images (K * n, C, H, W) and the mean loss after each outer loop."""
        update = self.work.update
        images = self.start().requires_grad_()
        optimizer = torch.optim.SGD([images], update.learning_rate, momentum=update.momentum)
        for outer in range(self.work.stop):
            if update.clamp == "outer_loop":
                images.data.clamp_(0, 1)
            net, losses = self.network(outer), []
            spec = self.work.inner.optimizer
            training = torch.optim.SGD(
                net.parameters(),
                spec.learning_rate,
                momentum=spec.momentum,
                weight_decay=spec.weight_decay,
            )
            for inner in range(self.work.inner_steps):
                if self.work.matcher.batch_norm == "frozen":
                    self.freeze(net, outer, inner)
                losses += self.step(net, images, optimizer, outer, inner)
                if inner == self.work.inner_steps - 1:
                    break
                net.train()
                for x, y, rng in self.batches(images.detach(), outer, inner):
                    training.zero_grad()
                    self.mixed_loss(net, x, y, rng).backward()
                    training.step()
            yield images.detach().clone(), sum(losses) / len(losses)

    def step(
        self, net: Net, images: Tensor, optimizer: torch.optim.SGD, outer: int, inner: int
    ) -> list[float]:
        """Move all images once by all classes: together (`joint`), or after every class."""
        losses = []
        images.grad = torch.zeros_like(images)
        for c in range(self.classes):
            loss = self.match(net, images, c, outer, inner)
            images.grad += torch.autograd.grad(loss, images)[0]
            losses.append(loss.item())
            if self.work.update.clock == "shared":
                optimizer.step()
                images.grad.zero_()
        if self.work.update.clock == "joint":
            optimizer.step()
        return losses

    def start(self) -> Tensor:
        """Return the images before learning, (K * n, C, H, W), in the learned space."""
        n, f, rows = self.n, self.factor, []
        for c in range(self.classes):
            own, rng = self.pixels[self.labels == c], seeded(*self.work.seed, "init", c)
            if self.work.init.kind == "noise":
                rows.append(torch.randn(n, *own.shape[1:], generator=rng).double())
                continue
            order = torch.randperm(len(own), generator=rng)
            cell = self.size // f
            row = torch.zeros(n, *own.shape[1:], dtype=torch.float64)
            for i in range(n):
                for k in range(f * f):
                    top, left = (k // f) * cell, (k % f) * cell
                    small = own[order[k * n + i]][:, ::f, ::f]
                    row[i, :, top : top + cell, left : left + cell] = small
            rows.append(row if self.in_pixels else self.normalise(row))
        return torch.cat(rows)

    @property
    def in_pixels(self) -> bool:
        return self.work.parameterization.space == "pixel"

    def normalise(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def seen(self, images: Tensor) -> Tensor:
        """Return all views of images, normalised."""
        f, side, cells = self.factor, self.size // self.factor, []
        if f == 1:
            return self.normalise(images) if self.in_pixels else images
        for i in range(f):
            for j in range(f):
                cell = images[:, :, i * side : (i + 1) * side, j * side : (j + 1) * side]
                cells.append(F.interpolate(cell, (self.size, self.size), mode="bilinear"))
        return self.normalise(torch.cat(cells))

    def network(self, outer: int) -> Net:
        """Return the network that an outer loop starts with, perturbed if the work says so."""
        row, spec = self.work.schedule.row(outer), self.work.network
        channels = self.pixels.shape[1]
        if self.work.networks is None:
            stored = load_file(self.inputs[f"pool/{row.member}"] / "network.safetensors")
        else:
            fresh = make_network(spec, channels=channels, size=self.size, classes=self.classes)
            stored = fresh.init(seeded(*self.work.seed, "fresh", outer))
        net = Net(spec, channels, self.size, self.classes, stored)
        shifts = [torch.zeros_like(p) for p in net.parameters()]
        for coefficient, seed in zip(row.coefficients, row.directions, strict=True):
            rng = seeded("direction", seed)
            for p, shift in zip(net.parameters(), shifts, strict=True):
                if p.ndim == 1:
                    continue
                drawn = torch.randn(p.shape, generator=rng).double()
                for d, w, s in zip(drawn, p, shift, strict=True):
                    s += coefficient * 1e-9 * w.detach().norm() / (d.norm() + 1e-10) * d
        for p, shift in zip(net.parameters(), shifts, strict=True):
            p.data += shift
        return net

    def freeze(self, net: Net, outer: int, inner: int) -> None:
        """DC: 16 real images a class move the statistics of batch norm, which then stays."""
        chosen = []
        for c in range(self.classes):
            own = (self.labels == c).nonzero().flatten()
            rng = seeded(*self.work.seed, "statistics", outer, inner, c)
            chosen.append(own[torch.randperm(len(own), generator=rng)[:16]])
        net.train()
        with torch.no_grad():
            net(self.normalise(self.pixels[torch.cat(chosen)]))
        net.eval()

    def match(self, net: Net, images: Tensor, c: int, outer: int, inner: int) -> Tensor:
        """Return the matching loss of one class, differentiable in all images."""
        work = self.work
        views = self.seen(images[c * self.n : (c + 1) * self.n])
        if len(views) > work.matcher.max_views:
            rng = seeded(*work.seed, "views", outer, inner, c)
            views = views[torch.randperm(len(views), generator=rng)[: work.matcher.max_views]]
        real = self.real_batch(c, outer * work.inner_steps + inner)
        rng = seeded(*work.seed, "augment", outer, inner, c)
        row = make_policy(work.matching_augmentation).draw(1, self.size, rng, shared=True)
        gradients = []
        for part in (real, views):
            x = augmented(part, work.matching_augmentation, row)
            loss = F.cross_entropy(net(x), torch.full((len(x),), c))
            gradients.append(torch.autograd.grad(loss, list(net.parameters()), create_graph=True))
        return self.distance([g.detach() for g in gradients[0]], list(gradients[1]))

    def real_batch(self, c: int, t: int) -> Tensor:
        own = (self.labels == c).nonzero().flatten()
        b = min(self.work.matcher.real_batch, len(own))
        epoch, position = divmod(t, len(own) // b)
        order = torch.randperm(len(own), generator=seeded(*self.work.seed, "real", c, epoch))
        return self.normalise(self.pixels[own[order[position * b : position * b + b]]])

    def distance(self, real: list[Tensor], syn: list[Tensor]) -> Tensor:
        """IDC: squared or absolute differences of kernels; DC: cosines of rows of matrices."""
        spec, total = self.work.matcher, torch.zeros((), dtype=torch.float64)
        for r, s in zip(real, syn, strict=True):
            if r.ndim == 1 or (spec.parameters == "kernels" and r.ndim == 2):
                continue
            match spec.distance:
                case "squared":
                    total = total + ((r - s) ** 2).sum()
                case "l1":
                    total = total + (r - s).abs().sum()
                case "cosine":
                    for a, b in zip(r.flatten(1), s.flatten(1), strict=True):
                        total = total + 1 - (a @ b) / (a.norm() * b.norm() + 1e-6)
        return total

    def batches(self, images: Tensor, outer: int, inner: int) -> Iterator[Batch]:
        """Yield the augmented batches that the network takes steps on between two inner steps."""
        if self.work.inner.kind == "on_real":
            yield from self.real_batches(outer, inner)
        else:
            yield from self.synthetic_batches(images, outer, inner)

    def real_batches(self, outer: int, inner: int) -> Iterator[Batch]:
        """IDC: a few batches of real images, walking through all classes over the whole run."""
        spec, seed, n = self.work.inner, self.work.seed, len(self.labels)
        for step in range(spec.steps):
            t = (outer * self.work.inner_steps + inner) * spec.steps + step
            epoch, position = divmod(t, n // spec.batch)
            order = torch.randperm(n, generator=seeded(*seed, "network", epoch))
            chosen = order[position * spec.batch : (position + 1) * spec.batch]
            rng = seeded(*seed, "network-augment", outer, inner, step)
            x = self.individually(self.normalise(self.pixels[chosen]), rng)
            yield x, self.labels[chosen], rng

    def synthetic_batches(self, images: Tensor, outer: int, inner: int) -> Iterator[Batch]:
        """DC and DSA: epochs over the whole synthetic set; the last batch may be small."""
        spec, seed = self.work.inner, self.work.seed
        views = [self.seen(images[c * self.n : (c + 1) * self.n]) for c in range(self.classes)]
        x = torch.cat(views)
        y = torch.arange(self.classes).repeat_interleave(len(views[0]))
        for epoch in range(spec.epochs):
            order = torch.randperm(len(x), generator=seeded(*seed, "network", outer, inner, epoch))
            for position, chosen in enumerate(order.split(spec.batch)):
                rng = seeded(*seed, "network-augment", outer, inner, epoch, position)
                yield self.individually(x[chosen], rng), y[chosen], rng

    def individually(self, x: Tensor, rng: torch.Generator) -> Tensor:
        policy = make_policy(self.work.training_augmentation)
        draws = policy.draw(len(x), self.size, rng, shared=False)
        return augmented(x, self.work.training_augmentation, draws)

    def mixed_loss(self, net: Net, x: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        """Return the cross-entropy after CutMix, labels weighted by the area of the box."""
        whether, lam, row, column = torch.rand(4, generator=rng, dtype=torch.float64).tolist()
        partner = torch.randperm(len(x), generator=rng)
        if whether >= self.work.cutmix:
            return F.cross_entropy(net(x), y)
        half = int(self.size * sqrt(1 - lam)) // 2
        inside = torch.zeros(self.size, self.size, dtype=torch.bool)
        for i in range(self.size):
            for j in range(self.size):
                down, right = i - int(row * self.size), j - int(column * self.size)
                inside[i, j] = -half <= down < half and -half <= right < half
        logits = net(torch.where(inside, x[partner], x))
        share = inside.double().mean()
        own, other = F.cross_entropy(logits, y), F.cross_entropy(logits, y[partner])
        return (1 - share) * own + share * other
