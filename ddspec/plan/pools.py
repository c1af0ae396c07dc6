"""What a pool comes to: how many stages, how many networks of each, and the work of each stage."""

from __future__ import annotations

from ddspec.plan.ir import DataFacts
from ddspec.spec.augmentation import AugmentationSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.method import (
    CheckpointsPoolSpec,
    FileWeightsSpec,
    FreshPoolSpec,
    OnlinePoolSpec,
    PrunedPoolSpec,
    RecordedPoolSpec,
    TorchvisionWeightsSpec,
    TrainedSourceSpec,
    TrajectoryMatcherSpec,
    WeightsSpec,
)
from ddspec.spec.network import NetworkSpec, TorchvisionSpec
from ddspec.spec.optimizer import with_rate
from ddspec.spec.weights import WEIGHTS, digest_in
from ddspec.wire.work import CheckpointWork, PretrainWork, PruneWork

ZCA_EPS = 0.1
"""What MTT's code whitens with."""


def pool_stages(experiment: Experiment) -> int:
    """Return how many stages `pool/0`, … there are; networks drawn on the way need none."""
    pool = experiment.pool
    return 0 if isinstance(pool, FreshPoolSpec | OnlinePoolSpec) else pool.models


def epochs_recorded(experiment: Experiment) -> tuple[int, ...] | None:
    """Return the epochs after which each run is recorded; None where it is only at its end."""
    pool = experiment.pool
    if not isinstance(pool, RecordedPoolSpec):
        return None
    epochs = pool.epochs_recorded()
    return None if epochs == (pool.epochs,) else epochs


def schedule_members(experiment: Experiment) -> int:
    """Return how many networks the schedule picks from: runs for experts, else every network.

    A fresh network or a queue of them counts as one: which it is follows from the outer loop.
    """
    runs = max(1, pool_stages(experiment))
    if isinstance(experiment.matcher, TrajectoryMatcherSpec):
        return runs
    return runs * len(epochs_recorded(experiment) or (0,))


def zca_of(experiment: Experiment) -> float | None:
    """Return the eps with which images are whitened while learning; None where they are not."""
    shape = experiment.parameterization
    return (shape.zca_eps or ZCA_EPS) if shape.space == "zca" else None


def pretrain_work(experiment: Experiment, member: int) -> PretrainWork:
    """Return how a pool member is trained: members cycle through what `vary` lists."""
    pool = _recorded(experiment)
    optimizer, augmentation = pool.optimizer, _augmentation(experiment, pool.augmentation)
    if pool.vary.learning_rate:
        rates = pool.vary.learning_rate
        optimizer = with_rate(optimizer, rates[member % len(rates)])
    if pool.vary.augmentation:
        augmentation = pool.vary.augmentation[member % len(pool.vary.augmentation)]
    cutmix = experiment.augmentation.cutmix if pool.cutmix is None else pool.cutmix
    return PretrainWork(
        network=experiment.network,
        epochs=pool.epochs,
        batch=pool.batch,
        optimizer=optimizer,
        decay=pool.decay,
        augmentation=augmentation,
        cutmix=cutmix,
        seed=(experiment.seed, "pool", member),
        precision=experiment.precision,
        record=epochs_recorded(experiment),
        sharpness=pool.sharpness,
        record_precision=pool.record_precision,
        zca=zca_of(experiment),
    )


def checkpoint_work(
    experiment: Experiment, data: DataFacts, weights: WeightsSpec
) -> CheckpointWork:
    """Return how weights from elsewhere are taken over; `path` is no part of it."""
    return CheckpointWork(
        network=experiment.network,
        channels=data.channels,
        size=data.size,
        classes=len(data.classes),
        content=_content(experiment.network, weights),
        precision=experiment.precision,
    )


def converged_work(experiment: Experiment) -> PretrainWork:
    """Return how the network is trained from which a pruned pool is cut."""
    source = _pruned(experiment).converged
    if not isinstance(source, TrainedSourceSpec):
        raise TypeError("the converged network is not trained here")
    return PretrainWork(
        network=experiment.network,
        epochs=source.epochs,
        batch=source.batch,
        optimizer=source.optimizer,
        decay=source.decay,
        augmentation=_augmentation(experiment, source.augmentation),
        cutmix=experiment.augmentation.cutmix,
        seed=(experiment.seed, "pool", "converged"),
        precision=experiment.precision,
        zca=zca_of(experiment),
    )


def prune_work(experiment: Experiment, member: int) -> PruneWork:
    """Return how a member is cut down and trained on; members cycle through the epochs."""
    pool = _pruned(experiment)
    return PruneWork(
        network=experiment.network,
        flops=pool.flops,
        parameters=pool.parameters,
        epochs=pool.epochs[member % len(pool.epochs)],
        batch=pool.batch,
        optimizer=pool.optimizer,
        augmentation=experiment.augmentation.training,
        cutmix=experiment.augmentation.cutmix,
        seed=(experiment.seed, "pool", member),
        precision=experiment.precision,
        zca=zca_of(experiment),
    )


def weights_location(experiment: Experiment, weights: WeightsSpec) -> dict[str, str]:
    """Return where a file of weights lies under the data directory."""
    if isinstance(weights, FileWeightsSpec):
        return {"path": weights.path}
    return {"path": f"hub/checkpoints/{published_file(experiment.network, weights)}"}


def published_file(network: NetworkSpec, weights: TorchvisionWeightsSpec) -> str:
    """Return the name of the file that torchvision publishes; KeyError where there is none."""
    model = network.model if isinstance(network, TorchvisionSpec) else network.kind
    return WEIGHTS[model, weights.weights]


def sources_of(experiment: Experiment) -> tuple[WeightsSpec, ...]:
    """Return the weights that are taken over, if the pool consists of them."""
    pool = experiment.pool
    return pool.weights if isinstance(pool, CheckpointsPoolSpec) else ()


def _content(network: NetworkSpec, weights: WeightsSpec) -> str:
    if isinstance(weights, FileWeightsSpec):
        return weights.sha256
    return digest_in(published_file(network, weights))


def _augmentation(experiment: Experiment, own: AugmentationSpec | None) -> AugmentationSpec:
    return experiment.augmentation.training if own is None else own


def _recorded(experiment: Experiment) -> RecordedPoolSpec:
    pool = experiment.pool
    if not isinstance(pool, RecordedPoolSpec):
        raise TypeError("this pool is not recorded")
    return pool


def _pruned(experiment: Experiment) -> PrunedPoolSpec:
    pool = experiment.pool
    if not isinstance(pool, PrunedPoolSpec):
        raise TypeError("this pool is not pruned")
    return pool
