"""Record one member of a pool: a network, early in its training on real images.

Zhang et al., "Accelerating Dataset Distillation via Model Augmentation", CVPR 2023, section 4.2.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.spec.optimizer import OptimizerSpec
from ddspec.wire.work import PretrainWork
from ddspec_runners.artifacts import write_tensors
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit, Queue
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import Diverged
from ddspec_runners.functional.course import Course
from ddspec_runners.functional.optim import Slots, slots, step_in_place
from ddspec_runners.functional.params import cast, copied
from ddspec_runners.nets.base import Params
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.recorded import epoch_file, files_of
from ddspec_runners.pools.training import RealTraining, nearby
from ddspec_runners.rng import generator
from ddspec_runners.runtime import dtype_of
from ddspec_runners.selection.forgetting import Events, write_events
from ddspec_runners.site import Site

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

    def _events(self) -> Mapping[str, Tensor]:
        return {} if self.events is None else self.events.state()


def run(work: PretrainWork, site: Site) -> Mapping[str, JsonValue]:
    """Train on `train` for `work.epochs` epochs and write the network, with running statistics.

    Initial parameters are drawn from (*seed, "init"), the order of epoch e from (*seed, "batches",
    e), augmentation and CutMix of batch b from (*seed, "augment", e, b); an incomplete last batch
    is left out unless it is the only one. The learning rate changes between epochs. A checkpoint
    is written after every epoch.

    With `work.record` the network is written after each of those epochs, 0 being before training.
    Until the end the files lie beside the checkpoint, which is worth nothing without them.

    With `work.events` also `events.safetensors`: an image is rightly classified, or not, as it
    comes in a batch, before the step.

    Returns:
        `epochs`, and of the last epoch `train_loss` and `train_accuracy`, a fraction, both measured
        on the augmented batches while training; without epochs neither.
    """
    split = PreparedSplit.open(site.inputs["train"])
    if work.zca is not None:
        split = split.whitened(Whitening.fit(split, work.zca))
    card = split.card
    network = make_network(
        work.network, channels=card.channels, size=card.size, classes=len(card.classes)
    )
    policy = make_policy(work.augmentation, mean=split.mean, std=split.std)
    training = RealTraining(network, nearby(split, site.device), policy, work.cutmix)
    trainee = _fresh(work, site, training)
    done = _resumed(work, site, trainee)
    if not done:
        _snapshot(work, site, trainee, 0)
    for epoch in range(done, work.epochs):
        loss, accuracy = _epoch(work, training, trainee, epoch)
        measured = torch.tensor([[loss, accuracy]], dtype=torch.float64)
        trainee.record = torch.cat((trainee.record, measured))
        metrics = {"train_loss": loss, "train_accuracy": accuracy}
        _snapshot(work, site, trainee, epoch + 1)
        site.advance(epoch + 1, work.epochs, "epochs", state=trainee.state, metrics=metrics)
    _publish(work, site, trainee)
    if trainee.events is not None:
        write_events(site.output, trainee.events)
    return _metrics(trainee.record)


def _fresh(work: PretrainWork, site: Site, training: RealTraining) -> Trainee:
    dtype = dtype_of(work.precision)
    network = training.network
    init = network.init(generator(*work.seed, "init"))
    params = copied(cast(init, dtype=dtype, device=site.device))
    # Counters of batches are integers and stay so.
    buffers = {
        name: value.to(site.device, dtype if value.is_floating_point() else value.dtype)
        for name, value in network.buffers().items()
    }
    events = Events.none(len(training.split), site.device) if work.events else None
    memory = slots(work.optimizer, params)
    return Trainee(params, memory, buffers, torch.zeros(0, 2, dtype=torch.float64), events)


def _named(memory: Slots) -> dict[str, Tensor]:
    return {
        f"{slot}/{name}": value
        for slot, tensors in memory.items()
        for name, value in tensors.items()
    }


def _resumed(work: PretrainWork, site: Site, trainee: Trainee) -> int:
    """Take over the checkpoint, if there is one with its snapshots; return the epochs done."""
    saved = site.resume(trainee.state())
    if saved is None:
        return 0
    done, state = saved
    due = [epoch_file(epoch) for epoch in work.record or () if epoch <= done]
    if not all((site.scratch / name).is_file() for name in due):
        return 0
    trainee.restore(state)
    return done


def _snapshot(work: PretrainWork, site: Site, trainee: Trainee, epoch: int) -> None:
    """Keep the network after an epoch where it is to be recorded, before the next checkpoint."""
    if work.record is not None and epoch in work.record:
        write_tensors(site.scratch / epoch_file(epoch), trainee.network())


def _publish(work: PretrainWork, site: Site, trainee: Trainee) -> None:
    for name in files_of(work.record):
        if work.record is None:
            write_tensors(site.output / name, trainee.network())
        else:
            # copied: if the job is killed before its result, the next attempt needs them again
            shutil.copyfile(site.scratch / name, site.output / name)


def _epoch(
    work: PretrainWork, training: RealTraining, trainee: Trainee, epoch: int
) -> tuple[float, float]:
    """Train for one epoch and return the mean loss and the accuracy over its batches."""
    queue = Queue((*work.seed, "batches"), len(training.split), work.batch)
    steps = work.epochs * queue.batches
    course = Course(work.optimizer.learning_rate, work.decay, steps, queue.batches)
    losses, correct = [], []
    for batch, indices in enumerate(_batches(queue, epoch)):
        rng = generator(*work.seed, "augment", epoch, batch)
        slope = training.slope(trainee.params, indices, rng, trainee.buffers)
        step = epoch * queue.batches + batch
        trainee.step(slope.gradient, work.optimizer, course.at(step), step)
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
    return loss, torch.stack(correct).sum().item() / (queue.batches * queue.size)


def _batches(queue: Queue, epoch: int) -> Iterator[Tensor]:
    order = queue.permutation(epoch)
    for start in range(0, queue.batches * queue.size, queue.size):
        yield order[start : start + queue.size]


def _metrics(record: Tensor) -> dict[str, JsonValue]:
    metrics: dict[str, JsonValue] = {"epochs": len(record)}
    if len(record):
        loss, accuracy = record[-1].tolist()
        metrics |= {"train_loss": loss, "train_accuracy": accuracy}
    return metrics
