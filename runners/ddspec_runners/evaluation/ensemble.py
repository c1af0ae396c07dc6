"""Several networks in one training: the same draws as each alone, one stack of parameters.

`torch.func.vmap` maps the forward pass over the stack, so that E small networks start as many
kernels as one. Sums are taken in another order than alone: after 200 steps of a ConvNet of width 16
parameters in float64 are within 3e-16 of the single form, in float32 4e-3 away, as they are between
machines. So this is a choice of the run, which results name, and no part of any key.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.augment.base import Draws
from ddspec_runners.augment.cutmix import CutMixDraw
from ddspec_runners.augment.mixup import MixupDraw
from ddspec_runners.evaluation.train import CHECKPOINT_S, REPORT_S, Trained, Training
from ddspec_runners.evaluation.trainee import Trainee
from ddspec_runners.functional.optim import Slots, step_in_place
from ddspec_runners.functional.placement import placed
from ddspec_runners.nets.base import Params
from ddspec_runners.site import Site, StopRequested


@dataclass(slots=True)
class Stack:
    """The tensors of E networks, one axis of members in front of each."""

    params: dict[str, Tensor]
    memory: Slots
    buffers: Params

    @classmethod
    def of(cls, members: Sequence[Trainee]) -> Stack:
        """Return copies of the tensors of some networks, in one stack."""
        return cls(
            _stacked([one.params for one in members]),
            {slot: _stacked([one.memory[slot] for one in members]) for slot in members[0].memory},
            _stacked([one.buffers for one in members]),
        )

    def hand_out(self, members: Sequence[Trainee]) -> None:
        """Make the tensors of each network views of this stack."""
        for index, one in enumerate(members):
            one.params = _member(self.params, index)
            one.memory = {slot: _member(held, index) for slot, held in self.memory.items()}
            one.buffers = _member(self.buffers, index)


def train_together(trainings: Sequence[Training], sites: Sequence[Site]) -> list[Trained]:
    """Take all steps that are left of trainings that differ in their seeds and sets alone.

    Sets are of the same size, so that batches are. Members whose checkpoints are behind others
    are trained by themselves. When asked to stop, each member writes its checkpoint before
    StopRequested is raised.
    """
    members = [one.begin(site) for one, site in zip(trainings, sites, strict=True)]
    for done in sorted({member.done for member in members}):
        level = [index for index, member in enumerate(members) if member.done == done]
        _train(
            [trainings[index] for index in level],
            [members[index] for index in level],
            [sites[index] for index in level],
        )
    return [one.ended(member) for one, member in zip(trainings, members, strict=True)]


def _train(
    trainings: Sequence[Training], members: Sequence[Trainee], sites: Sequence[Site]
) -> None:
    """Train members that have taken the same number of steps, to the end."""
    first, stack = trainings[0], Stack.of(members)
    stack.hand_out(members)
    steps, course, reported = first.steps, first.course, time.monotonic()
    for t in range(members[0].done, steps):
        step_together(trainings, members, stack, t, course.at(t))
        stopping = any(site.stopping() for site in sites)
        if stopping or t + 1 == steps or time.monotonic() - reported >= REPORT_S:
            _advance(members, sites, t + 1, steps)
            reported = time.monotonic()


def _advance(members: Sequence[Trainee], sites: Sequence[Site], done: int, steps: int) -> None:
    """Report for every member, and save what is due, before anyone stops."""
    stopped = False
    for member, site in zip(members, sites, strict=True):
        try:
            site.advance(done, steps, "steps", state=member.state, every_s=CHECKPOINT_S)
        except StopRequested:
            stopped = True
    if stopped:
        raise StopRequested


def step_together(
    trainings: Sequence[Training],
    members: Sequence[Trainee],
    stack: Stack,
    t: int,
    rate: float,
) -> None:
    """Take step t of all members at one learning rate, in the tensors of their stack."""
    first = trainings[0]
    images, labels = _batch(trainings, t)
    losses, grads = _slopes(first, stack, images, labels)
    if t % first.stride == 0:
        for member, loss in zip(members, losses.tolist(), strict=True):
            member.curve[t // first.stride] = loss
    optimizer = first.protocol.optimizer
    step_in_place(stack.params, stack.memory, grads, optimizer, rate, t, members=True)
    stack.hand_out(members)
    for training, member in zip(trainings, members, strict=True):
        training.look(member, t + 1)


@dataclass(frozen=True, slots=True)
class _Labels:
    """Two labels of each image and the share of the first, for each member."""

    y: Tensor
    """int64 (E, b)."""
    partner_y: Tensor | None
    """None where no member's batch is mixed."""
    kept: Tensor
    """(E,)"""


def _batch(trainings: Sequence[Training], t: int) -> tuple[Tensor, _Labels]:
    """Return the images (E, b, C, H, W) of all members, augmented and mixed, and their labels.

    Rows of draws are independent, so all members are augmented in one call.
    """
    draws = [training.draw(t) for training in trainings]
    images, labels = _gathered(trainings, [one.indices for one in draws])
    images = trainings[0].policy.apply(images, _rows([one.augmentation for one in draws]))
    images, labels = (each.view(len(draws), -1, *each.shape[1:]) for each in (images, labels))
    kept = torch.tensor([one.mix.kept for one in draws], dtype=images.dtype)
    if all(one.mix.kept == 1 for one in draws):
        return images, _Labels(labels, None, placed(kept, images.device))
    partner = placed(torch.stack([one.mix.partner for one in draws]), images.device)
    rows = torch.arange(len(draws), device=images.device)[:, None]
    weight = _weights([one.mix for one in draws], images)
    images = weight * images + (1 - weight) * images[rows, partner]
    return images, _Labels(labels, labels[rows, partner], placed(kept, images.device))


def _gathered(trainings: Sequence[Training], indices: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the images and labels of all members, one after the other; of one set in one call."""
    sets = [training.examples for training in trainings]
    if all(each is sets[0] for each in sets):
        return sets[0].batch(torch.cat(tuple(indices)))
    parts = [examples.batch(chosen) for examples, chosen in zip(sets, indices, strict=True)]
    images, labels = zip(*parts, strict=True)
    return torch.cat(images), torch.cat(labels)


def _weights(mixes: Sequence[CutMixDraw | MixupDraw], images: Tensor) -> Tensor:
    """Return how much of its own each pixel keeps: (E, 1, 1, 1, 1) by mixup, by CutMix 0 or 1."""
    size = images.shape[-1]
    shares = torch.ones(len(mixes), 1, 1, size, size, dtype=images.dtype)
    for share, mix in zip(shares, mixes, strict=True):
        if isinstance(mix, MixupDraw):
            share.fill_(mix.kept)
        elif mix.active:
            top, left, bottom, right = mix.box
            share[..., top:bottom, left:right] = 0
    return placed(shares, images.device)


def _slopes(
    training: Training, stack: Stack, images: Tensor, labels: _Labels
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the mean losses (E,) and their gradients, and move the running statistics."""
    leaves = {name: p.detach().requires_grad_() for name, p in stack.params.items()}
    logits, stack.buffers = torch.func.vmap(training.network.train_step)(
        leaves, stack.buffers, images
    )
    losses = _cross_entropies(logits, labels.y)
    if labels.partner_y is not None:
        others = _cross_entropies(logits, labels.partner_y)
        losses = labels.kept * losses + (1 - labels.kept) * others
    # members share no parameters, so the gradient of the sum is that of each loss
    grads = torch.autograd.grad(losses.sum(), list(leaves.values()))
    return losses.detach(), dict(zip(leaves, grads, strict=True))


def _cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of each member, (E,), for logits (E, b, K)."""
    each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.view_as(labels).mean(1)


def _rows(draws: Sequence[Draws]) -> Draws:
    return {name: torch.cat([one[name] for one in draws]) for name in draws[0]}


def _stacked(members: Sequence[Params]) -> dict[str, Tensor]:
    return {name: torch.stack([one[name] for one in members]) for name in members[0]}


def _member(stack: Params, index: int) -> dict[str, Tensor]:
    return {name: tensor[index] for name, tensor in stack.items()}
