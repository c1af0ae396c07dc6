"""Record one member of a pool: a network, early in its training on real images.

Zhang et al., "Accelerating Dataset Distillation via Model Augmentation", CVPR 2023, section 4.2.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.spec.pool import RecordPrecision
from ddspec.wire.work import PretrainWork
from ddspec_runners.artifacts import write_tensors
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.functional.params import cast
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.recorded import epoch_file, files_of
from ddspec_runners.pools.trainee import Schooling, Trainee
from ddspec_runners.pools.training import RealTraining, nearby
from ddspec_runners.rng import generator
from ddspec_runners.runtime import dtype_of
from ddspec_runners.selection.forgetting import Events, write_events
from ddspec_runners.site import Site

RECORDED: Mapping[RecordPrecision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
}


def run(work: PretrainWork, site: Site) -> Mapping[str, JsonValue]:
    """Train on `train` for `work.epochs` epochs and write the network, with running statistics.

    Initial parameters are drawn from (*seed, "init"), the order of epoch e from (*seed, "batches",
    e), augmentation and CutMix of batch b from (*seed, "augment", e, b); an incomplete last batch
    is left out unless it is the only one. The learning rate changes between epochs. A checkpoint
    is written after every epoch.

    With `work.record` the network is written after each of those epochs, 0 being before training.
    Until the end the files lie beside the checkpoint, which is worth nothing without them.

    Files have numbers of `work.record_precision`, the training and its checkpoint never.

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
    split = nearby(split, site.device)
    training = RealTraining(network, split, policy, work.cutmix, work.sharpness)
    schooling = Schooling(training, work.epochs, work.batch, work.optimizer, work.decay, work.seed)
    trainee = _fresh(work, site, training)
    done = _resumed(work, site, trainee)
    if not done:
        _snapshot(work, site, trainee, 0)
    for epoch in range(done, work.epochs):
        metrics = schooling.epoch(trainee, epoch)
        _snapshot(work, site, trainee, epoch + 1)
        site.advance(epoch + 1, work.epochs, "epochs", state=trainee.state, metrics=metrics)
    _publish(work, site, trainee)
    if trainee.events is not None:
        write_events(site.output, trainee.events)
    return trainee.metrics()


def _fresh(work: PretrainWork, site: Site, training: RealTraining) -> Trainee:
    network = training.network
    init, buffers = network.init(generator(*work.seed, "init")), network.buffers()
    trainee = Trainee.of(init, buffers, work.optimizer, dtype_of(work.precision), site.device)
    if work.events:
        trainee.events = Events.none(len(training.split), site.device)
    return trainee


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
        write_tensors(site.scratch / epoch_file(epoch), _recorded(work, trainee))


def _recorded(work: PretrainWork, trainee: Trainee) -> dict[str, Tensor]:
    """Return what a file of the network holds, rounded to the nearest where it has fewer bits."""
    network = trainee.network()
    if work.record_precision is None:
        return network
    return cast(network, dtype=RECORDED[work.record_precision])


def _publish(work: PretrainWork, site: Site, trainee: Trainee) -> None:
    for name in files_of(work.record):
        if work.record is None:
            write_tensors(site.output / name, _recorded(work, trainee))
        else:
            # copied: if the job is killed before its result, the next attempt needs them again
            shutil.copyfile(site.scratch / name, site.output / name)
