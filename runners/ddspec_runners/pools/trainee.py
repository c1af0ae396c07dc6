"""A network that is trained on real images for some epochs, and what a checkpoint keeps of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.spec.optimizer import DecaySpec, OptimizerSpec
from ddspec.wire.schedule import Seed
from ddspec_runners.data.prepared import Queue
from ddspec_runners.faults import Diverged
from ddspec_runners.functional.course import Course
from ddspec_runners.functional.optim import Slots, slots, step_in_place
from ddspec_runners.functional.params import cast, copied
from ddspec_runners.nets.base import Params
from ddspec_runners.pools.training import RealTraining
from ddspec_runners.rng import generator
from ddspec_runners.selection.forgetting import Events

PARAMS, BUFFERS, RECORD, EVENTS = "params/", "buffers/", "record", "events/"


@dataclass(slots=True)
class Trainee:
    """A network in training; its tensors belong to the loop and are moved in place."""

    params: dict[str, Tensor]
    memory: Slots
    """Of the optimiser."""
    buffers: Mapping[str, Tensor]
    record: Tensor
    """Loss and accuracy of each epoch done, float64 (epochs, 2)."""
    events: Events | None = None
    """What was learned and forgotten, where it is asked for."""

    @classmethod
    def of(
        cls,
        params: Params,
        buffers: Params,
        optimizer: OptimizerSpec,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Trainee:
        """Return a network before its first step, in a precision and on a device."""
        own = copied(cast(params, dtype=dtype, device=device))
        # Counters of batches are integers and stay so.
        moved = {
            name: value.to(device, dtype if value.is_floating_point() else value.dtype)
            for name, value in buffers.items()
        }
        return cls(own, slots(optimizer, own), moved, torch.zeros(0, 2, dtype=torch.float64))

    def step(
        self, gradient: Params, optimizer: OptimizerSpec, learning_rate: float, step: int
    ) -> None:
        """Take a step of the optimiser, counted from 0."""
        step_in_place(self.params, self.memory, gradient, optimizer, learning_rate, step)

    def network(self) -> dict[str, Tensor]:
        """Return what a file of a network holds: parameters and running statistics."""
        return {**self.params, **self.buffers}

    def state(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint holds."""
        return {
            **{PARAMS + name: value for name, value in self.params.items()},
            **_named(self.memory),
            **{BUFFERS + name: value for name, value in self.buffers.items()},
            RECORD: self.record,
            **{EVENTS + name: value for name, value in self._events().items()},
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over the tensors of a checkpoint."""
        for own, prefix in ((self.params, PARAMS), (_named(self.memory), "")):
            for name, value in own.items():
                value.copy_(state[prefix + name])
        self.buffers = {
            name: state[BUFFERS + name].to(value.device) for name, value in self.buffers.items()
        }
        self.record = state[RECORD]
        if self.events is not None:
            self.events.restore({name: state[EVENTS + name] for name in self._events()})

    def metrics(self) -> dict[str, JsonValue]:
        """Return `epochs`, and of the last one `train_loss` and `train_accuracy`, if any."""
        metrics: dict[str, JsonValue] = {"epochs": len(self.record)}
        if len(self.record):
            loss, accuracy = self.record[-1].tolist()
            metrics |= {"train_loss": loss, "train_accuracy": accuracy}
        return metrics

    def _events(self) -> Mapping[str, Tensor]:
        return {} if self.events is None else self.events.state()


@dataclass(frozen=True, slots=True)
class Schooling:
    """How a network is trained on real images for some epochs."""

    training: RealTraining
    epochs: int
    batch: int
    optimizer: OptimizerSpec
    decay: DecaySpec | None
    seed: Seed

    def epoch(self, trainee: Trainee, epoch: int) -> dict[str, float]:
        """Train for epoch number `epoch`, from 0, and note its mean loss and accuracy down.

        The order is drawn from (*seed, "batches", epoch), augmentation and CutMix of batch b from
        (*seed, "augment", epoch, b); an incomplete last batch is left out unless it is the only
        one. Raises Diverged where the loss is not finite.
        """
        queue = Queue((*self.seed, "batches"), len(self.training.split), self.batch)
        steps = self.epochs * queue.batches
        course = Course(self.optimizer.learning_rate, self.decay, steps, queue.batches)
        losses, correct = [], []
        for batch, indices in enumerate(_batches(queue, epoch)):
            rng = generator(*self.seed, "augment", epoch, batch)
            slope = self.training.slope(trainee.params, indices, rng, trainee.buffers)
            step = epoch * queue.batches + batch
            trainee.step(slope.gradient, self.optimizer, course.at(step), step)
            trainee.buffers = slope.buffers or {}
            losses.append(slope.loss)
            correct.append(slope.correct.sum())
            if trainee.events is not None:
                trainee.events.note(epoch, indices, slope.correct)
        loss = torch.stack(losses).double().mean().item()
        if not math.isfinite(loss):
            raise Diverged(
                f"training diverged in epoch {epoch + 1}: the loss is {loss}; "
                "a smaller learning rate may help"
            )
        accuracy = torch.stack(correct).sum().item() / (queue.batches * queue.size)
        measured = torch.tensor([[loss, accuracy]], dtype=torch.float64)
        trainee.record = torch.cat((trainee.record, measured))
        return {"train_loss": loss, "train_accuracy": accuracy}


def _named(memory: Slots) -> dict[str, Tensor]:
    return {
        f"{slot}/{name}": value
        for slot, tensors in memory.items()
        for name, value in tensors.items()
    }


def _batches(queue: Queue, epoch: int) -> Iterator[Tensor]:
    order = queue.permutation(epoch)
    for start in range(0, queue.batches * queue.size, queue.size):
        yield order[start : start + queue.size]
