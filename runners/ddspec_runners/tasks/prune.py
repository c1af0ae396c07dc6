"""Cut a network down at random, and train it on: a member of Teddy's posterior pool."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import JsonValue

from ddspec.wire.work import PruneWork
from ddspec_runners.artifacts import write_tensors
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.pruning import Cut, Shears
from ddspec_runners.pools.recorded import CUT, NETWORK, RecordedPool
from ddspec_runners.pools.trainee import Schooling, Trainee
from ddspec_runners.pools.training import RealTraining, nearby
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site


def run(work: PruneWork, site: Site) -> Mapping[str, JsonValue]:
    """Cut `network` down to the targets, train it on `train`, and write `network.safetensors`.

    Which channels go is drawn from (*seed, "prune", layer); every layer loses the same share of
    them, and running statistics lose the same channels. Training is as that of a pool member, at a
    constant rate, with a checkpoint after every epoch; after a kill the network is cut anew, which
    gives the same.

    Raises BadJob where the network cannot be cut so far.

    Returns:
        `macs` of one image, `parameters` and `channels` that are left; and as of a training,
        `epochs`, `train_loss` and `train_accuracy`.
    """
    split = PreparedSplit.open(site.inputs["train"])
    if work.zca is not None:
        split = split.whitened(Whitening.fit(split, work.zca))
    card = split.card
    network = make_network(
        work.network, channels=card.channels, size=card.size, classes=len(card.classes)
    )
    cut = _cut(work, site, network, split)
    dtype = dtype_of(work.precision)
    trainee = Trainee.of(cut.params, cut.buffers, work.optimizer, dtype, site.device)
    policy = make_policy(work.augmentation, mean=split.mean, std=split.std)
    training = RealTraining(network, nearby(split, site.device), policy, work.cutmix)
    schooling = Schooling(training, work.epochs, work.batch, work.optimizer, None, work.seed)
    for epoch in range(_resumed(site, trainee), work.epochs):
        metrics = schooling.epoch(trainee, epoch)
        site.advance(epoch + 1, work.epochs, "epochs", state=trainee.state, metrics=metrics)
    write_tensors(site.output / NETWORK, trainee.network(), CUT)
    left = {"macs": cut.multiplications, "parameters": cut.parameters, "channels": cut.channels}
    return {**left, **trainee.metrics()}


def _cut(work: PruneWork, site: Site, network: Network, split: PreparedSplit) -> Cut:
    folder, dtype = site.inputs["network"], dtype_of(work.precision)
    # cut on the CPU, whatever trains it: the graph of its layers is the same everywhere
    pool = RecordedPool.open([folder], network, dtype=dtype, device=torch.device("cpu"))
    whole, card = pool.member(0), split.card
    shears = Shears.drawn(
        network,
        whole.params,
        whole.buffers,
        work.seed,
        channels=card.channels,
        size=card.size,
    )
    return shears.until(work.flops, work.parameters)


def _resumed(site: Site, trainee: Trainee) -> int:
    saved = site.resume(trainee.state())
    if saved is None:
        return 0
    done, state = saved
    trainee.restore(state)
    return done
