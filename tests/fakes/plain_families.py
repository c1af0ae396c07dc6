"""Trajectory, distribution and statistics matching written out plainly: oracles of whole presets.

`nn.Module`s, `torch.optim` over the one tensor of all images, and autograd: slow, float64, from the
papers of MTT, TESLA, FTD, DM, IDM, SRe2L and Teddy and the description of their codes. As in
`plain_distillation`, of the runners only the laws of draws are taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, exp, log, pi
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from kornia.enhance import ZCAWhitening
from plain_augmentation import augmented
from plain_distillation import Net, Plain, seeded
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.func import functional_call

from ddspec.wire.work import PretrainWork
from ddspec_runners.augment.make import make_policy
from ddspec_runners.nets.make import make_network

EPSILON = 1e-12
"""In the denominators of FTD's GSAM."""

Step: TypeAlias = tuple[Tensor, float]
"""All images (K * n, C, H, W) and the loss, after an outer loop."""


class PlainTrajectory(Plain):
    """MTT: steps of a student, and autograd through all of them; TESLA; the averages of FTD."""

    learned: Tensor
    """The student's rate, or its logarithm."""
    rate: Tensor
    """The student's rate in the running loop."""
    reached: float
    """The rate after the last loop."""
    average: Tensor

    def outer_loops(self) -> Iterator[Step]:
        """Yield all images and the loss after each outer loop; `rate` and `average` go along."""
        work, update, inner = self.work, self.work.update, self.work.inner
        images = self.start().requires_grad_()
        learned, logs = inner.learned, inner.learned.law == "log"
        first = log(inner.learning_rate) if logs else inner.learning_rate
        self.learned = torch.tensor(first, dtype=torch.float64, requires_grad=True)
        moving = torch.optim.SGD([images], update.learning_rate, momentum=update.momentum)
        learning = torch.optim.SGD([self.learned], learned.learning_rate, momentum=learned.momentum)
        self.average = images.detach().clone()
        for outer in range(work.stop):
            follow = self.tesla if work.matcher.gradient == "tesla" else self.unrolled
            self.rate = (self.learned.exp() if logs else self.learned).detach().requires_grad_()
            images.grad = torch.zeros_like(images)
            loss = follow(images, outer)
            # of a rate's logarithm the slope is the rate times that of the rate
            self.learned.grad = self.rate.grad * self.rate.detach() if logs else self.rate.grad
            moving.step()
            learning.step()
            reached = float(self.learned.detach())
            self.reached = exp(reached) if logs else reached
            if update.averaging is not None:
                decay = update.averaging
                self.average = decay * self.average + (1 - decay) * images.detach()
            yield images.detach().clone(), loss

    def start(self) -> Tensor:
        """Return the images before learning; whitened where images are, as kornia does it."""
        if self.work.parameterization.space != "zca":
            return super().start()
        white = ZCAWhitening(eps=self.work.parameterization.zca_eps).fit(self.pixels)
        rows = []
        for c in range(self.classes):
            own = self.pixels[self.labels == c]
            order = torch.randperm(len(own), generator=seeded(*self.work.seed, "init", c))
            rows.append(white(own[order[: self.n]]))
        return torch.cat(rows)

    def expert(self, outer: int) -> tuple[dict[str, Tensor], dict[str, Tensor], Net]:
        """Return an expert's parameters at two epochs, and the module that has them."""
        row, spec = self.work.schedule.row(outer), self.work.network
        folder: Path = self.inputs[f"pool/{row.member}"]
        last = row.start + self.work.matcher.expert_epochs
        nets = [
            Net(
                spec,
                self.pixels.shape[1],
                self.size,
                self.classes,
                load_file(folder / f"epoch-{epoch}.safetensors"),
            )
            for epoch in (row.start, last)
        ]
        first, end = ({n: p.detach().clone() for n, p in net.named_parameters()} for net in nets)
        return first, end, nets[0]

    def lesson(self, images: Tensor, outer: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the augmented images of one step, and their labels."""
        seed, batch = self.work.seed, self.work.inner.batch
        y = torch.arange(self.classes).repeat_interleave(self.n)
        if batch is not None and batch < len(images):
            epoch, position = divmod(step, -(-len(images) // batch))
            rng = seeded(*seed, "student", outer, epoch)
            chosen = torch.randperm(len(images), generator=rng).split(batch)[position]
            images, y = images[chosen], y[chosen]
        policy = make_policy(self.work.training_augmentation)
        rng = seeded(*seed, "student-augment", outer, step)
        draws = policy.draw(len(images), self.size, rng, shared=False)
        return augmented(images, self.work.training_augmentation, draws), y

    def unrolled(self, images: Tensor, outer: int) -> float:
        """MTT, algorithm 1: leave the gradients of images and rate of one outer loop."""
        first, end, net = self.expert(outer)
        student = {name: p.clone().requires_grad_() for name, p in first.items()}
        for step in range(self.work.inner.steps):
            x, y = self.lesson(images, outer, step)
            loss = F.cross_entropy(functional_call(net, student, (x,)), y)
            slopes = torch.autograd.grad(loss, list(student.values()), create_graph=True)
            moved = zip(student.items(), slopes, strict=True)
            student = {name: p - self.rate * slope for (name, p), slope in moved}
        distance = sum(((student[n] - end[n]) ** 2).sum() for n in end)
        moved_by = sum(((first[n] - end[n]) ** 2).sum() for n in end)
        total = distance / moved_by
        images.grad, self.rate.grad = torch.autograd.grad(total, [images, self.rate])
        return float(total.detach())

    def tesla(self, images: Tensor, outer: int) -> float:
        """TESLA's code: sum the steps' gradients, then contract each with one fixed vector.

        That is (rate * (end - first) + rate^2 * sum) / moved: the points are constants, and the
        factor 2 is lost. The rate's gradient is that of the loss, the sum being constant.
        """
        first, end, net = self.expert(outer)
        beta = float(self.rate.detach())
        visited, total = [{n: p.clone() for n, p in first.items()}], None
        for step in range(self.work.inner.steps):
            x, y = self.lesson(images.detach(), outer, step)
            at = {n: p.clone().requires_grad_() for n, p in visited[-1].items()}
            loss = F.cross_entropy(functional_call(net, at, (x,)), y)
            g = dict(zip(at, torch.autograd.grad(loss, list(at.values())), strict=True))
            total = g if total is None else {n: total[n] + g[n] for n in g}
            visited.append({n: at[n].detach() - beta * g[n] for n in g})
        moved_by = sum(((first[n] - end[n]) ** 2).sum() for n in end)
        fixed = {n: (beta * (end[n] - first[n]) + beta**2 * total[n]) / moved_by for n in end}
        for step in range(self.work.inner.steps):
            x, y = self.lesson(images, outer, step)
            at = {n: p.clone().requires_grad_() for n, p in visited[step].items()}
            loss = F.cross_entropy(functional_call(net, at, (x,)), y)
            g = torch.autograd.grad(loss, list(at.values()), create_graph=True)
            along = sum((a * fixed[n]).sum() for n, a in zip(at, g, strict=True))
            images.grad = images.grad + torch.autograd.grad(along, images)[0]
        rate = self.rate.detach().clone().requires_grad_()
        apart = sum(((first[n] - rate * total[n] - end[n]) ** 2).sum() for n in end) / moved_by
        (self.rate.grad,) = torch.autograd.grad(apart, rate)
        return float(apart.detach())


class PlainDistribution(Plain):
    """DM: mean features of each class on a fresh network."""

    def outer_loops(self) -> Iterator[Step]:
        """Yield all images and the mean loss of a class after each outer loop."""
        update = self.work.update
        images = self.start().requires_grad_()
        optimizer = torch.optim.SGD([images], update.learning_rate, momentum=update.momentum)
        for outer in range(self.work.stop):
            net = self.network(outer).train()
            losses = self.losses(net, images, outer)
            optimizer.zero_grad()
            sum(losses).backward()
            optimizer.step()
            yield images.detach().clone(), float(sum(losses).detach()) / len(losses)

    def pair(self, images: Tensor, c: int, outer: int) -> tuple[Tensor, Tensor]:
        """Return real and synthetic images of a class, augmented alike."""
        work = self.work
        rng = seeded(*work.seed, "augment", outer, 0, c)
        row = make_policy(work.matching_augmentation).draw(1, self.size, rng, shared=True)
        views = self.seen(images[c * self.n : (c + 1) * self.n])
        parts = (self.real_batch(c, outer), views)
        real, syn = (augmented(part, work.matching_augmentation, row) for part in parts)
        return real, syn

    def losses(self, net: Net, images: Tensor, outer: int) -> list[Tensor]:
        """Return one loss a class; with batch norm all classes go through in one batch."""
        pairs = [self.pair(images, c, outer) for c in range(self.classes)]
        if self.work.matcher.features == "pixels":
            found = [[part.flatten(1) for part in pair] for pair in pairs]
        else:
            sides = [list(side) for side in zip(*pairs, strict=True)]
            split = [
                net.features(torch.cat(side)).split([len(one) for one in side]) for side in sides
            ]
            found = [list(pair) for pair in zip(*split, strict=True)]
        return [((r.mean(0).detach() - s.mean(0)) ** 2).sum() for r, s in found]


@dataclass
class Queued:
    """A network in IDM's queue, with its own optimiser and meter of accuracy."""

    net: Net
    optimizer: torch.optim.SGD
    right: int = 0
    seen: int = 0

    @property
    def accuracy(self) -> float:
        return self.right / self.seen if self.seen else 0.0


class PlainQueue(PlainDistribution):
    """IDM: classes one by one on a network of a queue, which is trained on real images."""

    queue: dict[int, Queued]

    def outer_loops(self) -> Iterator[Step]:
        """Yield all images and the mean loss of a class after each outer loop."""
        work, spec, update = self.work, self.work.networks, self.work.update
        images = self.start().requires_grad_()
        optimizer = torch.optim.SGD([images], update.learning_rate, momentum=update.momentum)
        self.queue = {}
        for _ in range(spec.start):
            self.enter()
        for outer in range(work.stop):
            if outer % spec.every == 0:
                self.enter()
            rng = seeded(*work.seed, "queue", "pick", outer)
            serials = sorted(self.queue)
            picked = self.queue[serials[int(torch.randint(len(serials), (1,), generator=rng))]]
            picked.net.eval()
            losses = []
            for c in range(self.classes):
                loss = self.loss(picked, images, c, outer)
                optimizer.zero_grad(set_to_none=False)
                images.grad = torch.autograd.grad(loss, images)[0]
                optimizer.step()
                losses.append(float(loss.detach()))
            yield images.detach().clone(), sum(losses) / len(losses)
            self.train(outer)

    def seen(self, images: Tensor) -> Tensor:
        """Return all views; normalised images are cut up as they are."""
        if self.in_pixels:
            return super().seen(images)
        f, side, cells = self.factor, self.size // self.factor, []
        for i in range(f):
            for j in range(f):
                cell = images[:, :, i * side : (i + 1) * side, j * side : (j + 1) * side]
                cells.append(F.interpolate(cell, (self.size, self.size), mode="bilinear"))
        return torch.cat(cells)

    def loss(self, picked: Queued, images: Tensor, c: int, outer: int) -> Tensor:
        """Return the distance of means, and the weighted cross-entropy of synthetic images."""
        real, syn = self.pair(images, c, outer)
        apart = picked.net.features(real).mean(0).detach() - picked.net.features(syn).mean(0)
        term = self.work.matcher.cross_entropy
        weight = term.weight * (picked.accuracy if term.by_accuracy else 1.0)
        entropy = F.cross_entropy(picked.net(syn), torch.full((len(syn),), c))
        return (apart**2).sum() + weight * entropy

    def enter(self) -> None:
        """Let a new network in, and the oldest out where there are too many."""
        spec = self.work.networks
        serial = max(self.queue, default=-1) + 1
        fresh = make_network(
            self.work.network,
            channels=self.pixels.shape[1],
            size=self.size,
            classes=self.classes,
        ).init(seeded(*self.work.seed, "queue", "init", serial))
        net = Net(self.work.network, self.pixels.shape[1], self.size, self.classes, fresh)
        self.queue[serial] = Queued(net, sgd(net, spec.optimizer))
        if len(self.queue) > spec.most:
            del self.queue[min(self.queue)]

    def train(self, outer: int) -> None:
        """Train some of the queue, drawn at random, on batches of real images."""
        work, spec = self.work, self.work.networks
        serials = sorted(self.queue)
        rng = seeded(*work.seed, "queue", "train", outer)
        order = torch.randperm(len(serials), generator=rng).tolist()
        for serial in [serials[i] for i in order[: spec.trained]]:
            one = self.queue[serial]
            one.net.train()
            for step in range(spec.steps):
                rng = seeded(*work.seed, "queue", "batch", outer, serial, step)
                chosen = torch.randperm(len(self.labels), generator=rng)[: spec.batch]
                rng = seeded(*work.seed, "queue", "augment", outer, serial, step)
                x = self.individually(self.normalise(self.pixels[chosen]), rng)
                logits = one.net(x)
                one.optimizer.zero_grad()
                F.cross_entropy(logits, self.labels[chosen]).backward()
                one.optimizer.step()
                one.right += int((logits.argmax(1) == self.labels[chosen]).sum())
                one.seen += len(chosen)


def sgd(net: Net, spec: Any) -> torch.optim.SGD:
    return torch.optim.SGD(
        net.parameters(),
        spec.learning_rate,
        momentum=spec.momentum,
        weight_decay=spec.weight_decay,
    )


class PlainStatistics(Plain):
    """SRe2L and Teddy: images whose batches look to trained networks as real ones did."""

    def outer_loops(self) -> Iterator[Step]:
        """Yield all images and the mean loss of an image after each outer loop.

        Every batch, one image of each of some classes, has an Adam of its own.
        """
        work, update, matcher = self.work, self.work.update, self.work.matcher
        start = self.start().view(self.classes, self.n, *self.pixels.shape[1:])
        chunks = torch.arange(self.classes).split(matcher.classes_per_batch)
        batches = [(i, chunk) for chunk in chunks for i in range(self.n)]
        parts = [start[chunk, i].clone().requires_grad_() for i, chunk in batches]
        adams = [torch.optim.Adam([x], update.learning_rate, betas=update.betas) for x in parts]
        low, high = (0 - self.mean) / self.std, (1 - self.mean) / self.std
        for outer in range(work.stop):
            cosine = (1 + cos(pi * outer / work.loops)) / 2
            total = 0.0
            for (i, chunk), x, adam in zip(batches, parts, adams, strict=True):
                adam.param_groups[0]["lr"] = update.learning_rate * cosine
                adam.zero_grad()
                loss = self.loss(x, i, chunk, outer)
                loss.backward()
                adam.step()
                x.data = torch.minimum(torch.maximum(x.data, low), high)
                total += float(loss.detach()) * len(chunk)
            whole = start.clone()
            for (i, chunk), x in zip(batches, parts, strict=True):
                whole[chunk, i] = x.detach()
            yield whole.flatten(0, 1), total / (self.classes * self.n)

    def loss(self, x: Tensor, image: int, chunk: Tensor, outer: int) -> Tensor:
        """Teddy, Eq. 7: the sum over the networks of this image; with one it is SRe2L's loss."""
        matcher, total = self.work.matcher, torch.zeros((), dtype=torch.float64)
        rng = seeded(*self.work.seed, "view", image, int(chunk[0]), outer, 0)
        policy = make_policy(self.work.matching_augmentation, mean=self.means, std=self.stds)
        draws = policy.draw(1, self.size, rng, shared=True)
        seen = self.viewed(x, draws)
        roll = matcher.roll
        by = torch.randint(roll.low, roll.high + 1, (2,), generator=rng).tolist()
        seen = seen.roll(by[0], 2).roll(by[1], 3)
        heard = [observed(net.eval(), seen) for net in self.teachers(image)]
        together = torch.stack([logits for logits, _ in heard]).mean(0)
        for logits, entering in heard:
            said = together if matcher.classifier == "ensemble" else logits
            total = total + matcher.cross_entropy * F.cross_entropy(said, chunk)
            for layer, (norm, enters) in enumerate(entering):
                weight = matcher.first_layer if layer == 0 else 1.0
                mean, var = enters.mean((0, 2, 3)), enters.var((0, 2, 3), unbiased=False)
                apart = (mean - norm.running_mean).norm() + (var - norm.running_var).norm()
                total = total + matcher.batch_norm * weight * apart
        return total

    def viewed(self, x: Tensor, draws: Any) -> Tensor:
        """Return a batch after one crop and one flip for all of it."""
        if self.work.matching_augmentation.kind == "none":
            return x
        top, left, height, width = draws["box"][0].int().tolist()
        cut = x[:, :, top : top + height, left : left + width]
        big = F.interpolate(cut, (self.size, self.size), mode="bilinear", align_corners=False)
        return big.flip(-1) if draws["flip"][0] else big

    @property
    def means(self) -> tuple[float, ...]:
        return tuple(self.mean.flatten().tolist())

    @property
    def stds(self) -> tuple[float, ...]:
        return tuple(self.std.flatten().tolist())

    def teachers(self, image: int) -> list[Net]:
        """Return the networks of the i-th image of all classes."""
        found, count = [], self.work.matcher.models_per_image
        for number in range(count):
            member = self.work.schedule.row(image * count + number).member
            record = self.work.record
            if record is None:
                path = self.inputs[f"pool/{member}"] / "network.safetensors"
            else:
                run, which = divmod(member, len(record))
                path = self.inputs[f"pool/{run}"] / f"epoch-{record[which]}.safetensors"
            stored = load_file(path)
            channels = self.pixels.shape[1]
            net = Net(self.work.network, channels, self.size, self.classes, stored)
            for i in range(net.depth):
                norm = net.parts[f"block{i}-norm"]
                norm.running_mean.copy_(stored[f"block{i}.norm.running_mean"])
                norm.running_var.copy_(stored[f"block{i}.norm.running_var"])
            found.append(net)
        return found


def observed(net: Net, x: Tensor) -> tuple[Tensor, list[tuple[nn.BatchNorm2d, Tensor]]]:
    """Return logits, and each batch norm with what enters it, in the order of the pass."""
    entering: list[tuple[nn.BatchNorm2d, Tensor]] = []
    norms = [norm for norm in net.modules() if isinstance(norm, nn.BatchNorm2d)]
    hooks = [
        norm.register_forward_hook(lambda norm, args, _: entering.append((norm, args[0])))
        for norm in norms
    ]
    logits = net(x)
    for hook in hooks:
        hook.remove()
    return logits, entering


def flat_expert(work: PretrainWork, pixels: Tensor, labels: Tensor, size: int) -> list[Net]:
    """FTD: train towards flat minima by GSAM (Zhuang et al., 2022), adaptive; one net an epoch.

    The ascent is rho / |abs(w) g| * w^2 g. Of the first gradient the part across the second one is
    taken off, alpha times, before a plain step from where the ascent began.
    """
    spec, sharp = work.network, work.sharpness
    classes = int(labels.max()) + 1
    fresh = make_network(spec, channels=pixels.shape[1], size=size, classes=classes)
    stored = fresh.init(seeded(*work.seed, "init"))
    net = Net(spec, pixels.shape[1], size, classes, stored)
    nets = [Net(spec, pixels.shape[1], size, classes, stored)]
    for epoch in range(work.epochs):
        order = torch.randperm(len(labels), generator=seeded(*work.seed, "batches", epoch))
        batches = [b for b in order.split(work.batch) if len(b) == min(work.batch, len(order))]
        for number, chosen in enumerate(batches):
            rng = seeded(*work.seed, "augment", epoch, number)
            draws = make_policy(work.augmentation).draw(len(chosen), size, rng, shared=False)
            x = augmented(pixels[chosen], work.augmentation, draws)
            gsam_step(net, x, labels[chosen], sharp, work.optimizer.learning_rate)
        kept = Net(spec, pixels.shape[1], size, classes, stored)
        kept.load_state_dict(net.state_dict())
        nets.append(kept)
    return nets


def gsam_step(net: Net, x: Tensor, y: Tensor, sharp: Any, rate: float) -> None:
    params = list(net.parameters())
    before = [p.detach().clone() for p in params]
    one = torch.autograd.grad(F.cross_entropy(net(x), y), params)
    if sharp.adaptive:
        length = torch.cat([(w.abs() * g).flatten() for w, g in zip(before, one, strict=True)])
        climb = [w**2 * g for w, g in zip(before, one, strict=True)]
    else:
        length = torch.cat([g.flatten() for g in one])
        climb = list(one)
    with torch.no_grad():
        for p, c in zip(params, climb, strict=True):
            p += sharp.rho / (length.norm() + EPSILON) * c
    two = torch.autograd.grad(F.cross_entropy(net(x), y), params)
    first, second = flat(one), flat(two)
    cosine = first @ second / (first.norm() * second.norm() + EPSILON)
    across = first - cosine * first.norm() * second / (second.norm() + EPSILON)
    step = second - sharp.alpha * across
    with torch.no_grad():
        for p, w, g in zip(params, before, step.split([w.numel() for w in before]), strict=True):
            p.copy_(w - rate * g.view_as(w))


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([t.flatten() for t in tensors])
