"""Train a fresh network on a set, as a protocol says."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.wire.schedule import Seed
from ddspec_runners.augment import cutmix
from ddspec_runners.augment.base import Policy
from ddspec_runners.data.prepared import Queue
from ddspec_runners.evaluation.examples import Examples
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.params import cast, zeros
from ddspec_runners.functional.sgd import (
    learning_rate_at,
    plain_sgd,
    sgd_step_in_place,
    steps_of,
)
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.rng import generator
from ddspec_runners.site import Site

CHECKPOINT_S = 30.0
"""Seconds between checkpoints: a killed evaluation loses no more."""
REPORT_S = 0.25
"""Seconds between reports of progress."""
CURVE_POINTS = 200
"""At most so many losses are kept."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network after its last step."""

    params: Params
    buffers: Params
    curve: Tensor
    """Loss of the batch at every `stride`-th step, (points,)."""
    stride: int
    steps: int


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, on what, and how."""

    network: Network
    examples: Examples
    protocol: ProtocolSpec
    policy: Policy
    seed: Seed
    dtype: torch.dtype

    @property
    def queue(self) -> Queue:
        """Batches of all epochs; the incomplete last one of an epoch is kept, as IDC does."""
        seed = (*self.seed, "batches")
        return Queue(seed, len(self.examples), self.protocol.batch, drop=False)

    @property
    def steps(self) -> int:
        """Number of steps; raises BadJob where the protocol leaves it open."""
        match self.protocol.epochs, self.protocol.steps:
            case int(epochs), None:
                return epochs * self.queue.batches
            case None, int(steps):
                return steps
            case _:
                raise BadJob("an evaluation needs a number of epochs, or of steps, not both")

    def learning_rate(self, step: int) -> float:
        """Return the rate at a step; by epochs, it changes between epochs only."""
        base, decay = self.protocol.optimizer.learning_rate, steps_of(self.protocol.decay)
        if self.protocol.steps is not None:
            return learning_rate_at(step, self.protocol.steps, base, decay)
        epoch, epochs = step // self.queue.batches, self.steps // self.queue.batches
        return learning_rate_at(epoch, epochs, base, decay)

    def run(self, site: Site) -> Trained:
        """Take all steps, from the checkpoint of `site` if it has one, and return the network.

        Parameters are drawn from (*seed, "network"), batch t is that of the queue under
        (*seed, "batches"), and its augmentation and CutMix are drawn from (*seed, "augment", t).
        Where it is killed makes no difference to the bits, for a fixed number of threads.
        """
        steps = self.steps
        loop = _Loop.start(self, -(-steps // CURVE_POINTS), site)
        reported = time.monotonic()
        for t in range(loop.done, steps):
            loop.step(t)
            if site.stopping() or t + 1 == steps or time.monotonic() - reported >= REPORT_S:
                site.advance(t + 1, steps, "steps", state=loop.state, every_s=CHECKPOINT_S)
                reported = time.monotonic()
        return Trained(loop.params, loop.buffers, loop.curve, loop.stride, steps)


@dataclass(slots=True)
class _Loop:
    """The tensors that a training loop owns and moves in place."""

    training: Training
    queue: Queue
    stride: int
    done: int
    params: dict[str, Tensor]
    momentum: dict[str, Tensor]
    buffers: Params
    curve: Tensor

    @classmethod
    def start(cls, training: Training, stride: int, site: Site) -> _Loop:
        """Return the loop before its first step, or where the checkpoint left it."""
        fresh = training.network.init(generator(*training.seed, "network"))
        params = cast(fresh, dtype=training.dtype, device=site.device)
        loop = cls(
            training=training,
            queue=training.queue,
            stride=stride,
            done=0,
            params=params,
            momentum=zeros(params),
            buffers=_real_valued(training.network.buffers(), training.dtype, site.device),
            curve=torch.zeros(-(-training.steps // stride), dtype=training.dtype),
        )
        resumed = site.resume()
        if resumed:
            loop.restore(*resumed, device=site.device)
        return loop

    def step(self, t: int) -> None:
        """Take step t: batch, augmentation, CutMix, gradient of the mean loss, SGD."""
        training = self.training
        images, labels = training.examples.batch(self.queue.indices(t))
        rng = generator(*training.seed, "augment", t)
        n, size = len(images), images.shape[-1]
        images = training.policy.apply(images, training.policy.draw(n, size, rng, shared=False))
        mix = cutmix.draw(n, size, rng, training.protocol.cutmix)
        images, targets = cutmix.apply(images, labels, mix)
        leaves = {name: p.detach().requires_grad_() for name, p in self.params.items()}
        logits, self.buffers = training.network.train_step(leaves, self.buffers, images)
        loss = targets.loss(logits)
        grads = torch.autograd.grad(loss, list(leaves.values()))
        if t % self.stride == 0:
            self.curve[t // self.stride] = loss.detach()
        sgd_step_in_place(
            self.params,
            self.momentum,
            dict(zip(leaves, grads, strict=True)),
            plain_sgd(training.protocol.optimizer),
            training.learning_rate(t),
        )

    def state(self) -> dict[str, Tensor]:
        """Return everything that the next step depends on."""
        groups = {"params": self.params, "momentum": self.momentum, "buffers": self.buffers}
        named = {f"{g}/{name}": p for g, group in groups.items() for name, p in group.items()}
        return named | {"curve": self.curve}

    def restore(self, done: int, state: Params, *, device: torch.device) -> None:
        """Go on after `done` steps."""
        self.done = done
        self.params, self.momentum = (
            {name: state[f"{group}/{name}"].to(device) for name in self.params}
            for group in ("params", "momentum")
        )
        self.buffers = {name: state[f"buffers/{name}"].to(device) for name in self.buffers}
        self.curve = state["curve"]


def _real_valued(buffers: Params, dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """Return running statistics at a precision and on a device; counters stay whole numbers."""
    return {
        name: buffer.to(device, dtype if buffer.is_floating_point() else buffer.dtype)
        for name, buffer in buffers.items()
    }
