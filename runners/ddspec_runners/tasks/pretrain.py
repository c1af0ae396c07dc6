"""Record one member of a pool: a network, early in its training on real images.

Zhang et al., "Accelerating Dataset Distillation via Model Augmentation", CVPR 2023, section 4.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.wire.work import PretrainWork
from ddspec_runners.artifacts import write_tensors
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit, Queue
from ddspec_runners.faults import Diverged
from ddspec_runners.functional.params import cast, copied, zeros
from ddspec_runners.functional.sgd import (
    learning_rate_at,
    plain_sgd,
    sgd_step_in_place,
    steps_of,
)
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.recorded import NETWORK
from ddspec_runners.pools.training import RealTraining, nearby
from ddspec_runners.rng import generator
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site

PARAMS, MOMENTUM, BUFFERS, RECORD = "params/", "momentum/", "buffers/", "record"


@dataclass(slots=True)
class Trainee:
    """A network in training; its tensors belong to the loop and are moved in place."""

    params: dict[str, Tensor]
    momentum: dict[str, Tensor]
    buffers: Mapping[str, Tensor]
    record: Tensor
    """Loss and accuracy of each epoch done, float64 (epochs, 2)."""

    def state(self) -> dict[str, Tensor]:
        """Return everything that a checkpoint holds."""
        return {
            **{PARAMS + name: value for name, value in self.params.items()},
            **{MOMENTUM + name: value for name, value in self.momentum.items()},
            **{BUFFERS + name: value for name, value in self.buffers.items()},
            RECORD: self.record,
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over the tensors of a checkpoint."""
        for own, prefix in ((self.params, PARAMS), (self.momentum, MOMENTUM)):
            for name, value in own.items():
                value.copy_(state[prefix + name])
        self.buffers = {
            name: state[BUFFERS + name].to(value.device) for name, value in self.buffers.items()
        }
        self.record = state[RECORD]


def run(work: PretrainWork, site: Site) -> Mapping[str, JsonValue]:
    """Train on `train` for `work.epochs` epochs and write `network.safetensors`.

    Initial parameters are drawn from (*seed, "init"), the order of epoch e from (*seed, "batches",
    e), augmentation and CutMix of batch b from (*seed, "augment", e, b); an incomplete last batch
    is left out unless it is the only one. The learning rate changes between epochs. A checkpoint
    is written after every epoch.

    Returns:
        `epochs`, and of the last epoch `train_loss` and `train_accuracy`, a fraction, both measured
        on the augmented batches while training; without epochs neither.
    """
    split = PreparedSplit.open(site.inputs["train"])
    card = split.card
    network = make_network(
        work.network, channels=card.channels, size=card.size, classes=len(card.classes)
    )
    policy = make_policy(work.augmentation, mean=split.mean, std=split.std)
    training = RealTraining(network, nearby(split, site.device), policy, work.cutmix)
    trainee = _fresh(work, site, training)
    done = 0
    if (saved := site.resume()) is not None:
        done, state = saved
        trainee.restore(state)
    for epoch in range(done, work.epochs):
        loss, accuracy = _epoch(work, training, trainee, epoch)
        measured = torch.tensor([[loss, accuracy]], dtype=torch.float64)
        trainee.record = torch.cat((trainee.record, measured))
        metrics = {"train_loss": loss, "train_accuracy": accuracy}
        site.advance(epoch + 1, work.epochs, "epochs", state=trainee.state, metrics=metrics)
    write_tensors(site.output / NETWORK, {**trainee.params, **trainee.buffers})
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
    return Trainee(params, zeros(params), buffers, torch.zeros(0, 2, dtype=torch.float64))


def _epoch(
    work: PretrainWork, training: RealTraining, trainee: Trainee, epoch: int
) -> tuple[float, float]:
    """Train for one epoch and return the mean loss and the accuracy over its batches."""
    queue = Queue((*work.seed, "batches"), len(training.split), work.batch)
    sgd = plain_sgd(work.optimizer)
    rate = learning_rate_at(epoch, work.epochs, sgd.learning_rate, steps_of(work.decay))
    losses, correct = [], []
    for batch, indices in enumerate(_batches(queue, epoch)):
        rng = generator(*work.seed, "augment", epoch, batch)
        slope = training.slope(trainee.params, indices, rng, trainee.buffers)
        sgd_step_in_place(trainee.params, trainee.momentum, slope.gradient, sgd, rate)
        trainee.buffers = slope.buffers or {}
        losses.append(slope.loss)
        correct.append(slope.correct)
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
