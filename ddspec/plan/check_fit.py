"""Rules about the pieces of a method: which pool, inner loop, matcher and clock go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ddspec.plan.findings import Finding, error
from ddspec.plan.ir import DataFacts
from ddspec.plan.pools import published_file, schedule_members
from ddspec.plan.sharding import blocks_of, has_batch_norm, why_not
from ddspec.spec.experiment import Experiment
from ddspec.spec.learned import WHITENED_NUMBERS
from ddspec.spec.method import (
    MAX_LOOPS,
    CheckpointsPoolSpec,
    DistributionMatcherSpec,
    ExpertLabelsSpec,
    OnlinePoolSpec,
    PrunedPoolSpec,
    RecordedPoolSpec,
    StatisticsMatcherSpec,
    TorchvisionWeightsSpec,
    TrajectoryMatcherSpec,
)
from ddspec.spec.network import TorchvisionSpec, network_name
from ddspec.spec.weights import CLASSES

INNER: Mapping[str, tuple[str, ...]] = {
    "gradient": ("frozen", "on_real", "on_synthetic"),
    "distribution": ("frozen", "on_real", "on_synthetic"),
    "trajectory": ("unrolled",),
    "statistics": ("frozen",),
}
"""Inner loops that each matcher can use."""


def shard_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield shards that would not end with the set that one job learns."""
    shards = experiment.resources.shards
    if shards == 1 or shards > (len(data.classes) or shards):
        return
    reason, hint = why_not(experiment, len(data.classes))
    if reason:
        message = f"{shards} class shards are not exact here: {reason}"
        yield error(24, ("resources", "shards"), message, hint or "use `shards: 1`")


def inner_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield inner loops, steps and clocks that the matcher has no use for."""
    matcher, inner = experiment.matcher, experiment.inner
    fitting = INNER[matcher.kind]
    if inner.kind not in fitting:
        listed = " or ".join(f"`{kind}`" for kind in fitting)
        yield error(
            28,
            ("inner", "kind"),
            f"`{matcher.kind}` matching cannot use networks that move `{inner.kind}`",
            f"use {listed}",
        )
    if isinstance(matcher, TrajectoryMatcherSpec) and experiment.loops.inner_steps > 1:
        yield error(
            38,
            ("loops", "inner_steps"),
            "an outer loop of trajectory matching updates the images once, at the end of the "
            "student's steps",
            "use `inner_steps: 1`; the student's steps are `inner.steps`",
        )
    blocks = blocks_of(experiment)
    if experiment.update.clock == "shared" and blocks != "class":
        yield error(
            37,
            ("update", "clock"),
            f"a shared clock ticks once a class, but `{matcher.kind}` matching moves the images of "
            "several classes at once here",
            "use `clock: joint`",
        )


def statistics_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield networks whose statistics cannot be matched."""
    matcher, pool = experiment.matcher, experiment.pool
    if not isinstance(matcher, StatisticsMatcherSpec):
        return
    if not has_batch_norm(experiment.network):
        yield error(
            25,
            ("network",),
            f"`{network_name(experiment.network)}` has no batch norm, so it keeps no statistics to "
            "match",
            "use `norm: batch`, or a `resnet18` of torchvision",
        )
    if not trained(experiment):
        yield error(
            34,
            ("pool", "epochs") if isinstance(pool, RecordedPoolSpec) else ("pool", "kind"),
            "the statistics of networks that were never trained on the data say nothing of them",
            "record networks after some epochs",
        )
    elif matcher.models_per_image > (members := schedule_members(experiment)):
        yield error(
            34,
            ("matcher", "models_per_image"),
            f"{matcher.models_per_image} networks an image of a pool of {members}",
            f"use {members} or less",
        )
    if (rows := experiment.budget.images_per_class * matcher.models_per_image) > MAX_LOOPS:
        yield error(
            69,
            ("budget", "images_per_class"),
            f"{rows:,} networks are drawn, {matcher.models_per_image:,} for each image of a class: "
            f"{MAX_LOOPS:,} are the most",
            "take fewer images, or fewer `models_per_image`",
        )


def trajectory_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield pools without the trajectories that a matcher or labels follow."""
    matcher, pool = experiment.matcher, experiment.pool
    if not isinstance(matcher, TrajectoryMatcherSpec):
        if isinstance(experiment.labels, ExpertLabelsSpec):
            message = "labels of an expert, but only `trajectory` matching follows experts"
            yield error(40, ("labels", "kind"), message, "use `kind: soft`, or leave them out")
        return
    if not isinstance(pool, RecordedPoolSpec):
        message = f"a `{pool.kind}` pool has no trajectories to follow"
        yield error(29, ("pool", "kind"), message, "use `recorded` with `record: every_epoch`")
        return
    last = matcher.max_start - 1 + matcher.expert_epochs
    recorded = pool.epochs_recorded()
    if missing := [epoch for epoch in range(last + 1) if epoch not in recorded]:
        setting = "epochs" if missing[0] > pool.epochs else "record"
        yield error(
            29,
            ("pool", setting),
            f"experts are followed through epochs 0 to {last}, and are not recorded after epoch "
            f"{missing[0]}",
            "use `record: every_epoch`" if setting == "record" else f"train {last} epochs or more",
        )


def pool_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield recordings outside of training, and weights that nobody publishes."""
    pool = experiment.pool
    if isinstance(pool, RecordedPoolSpec):
        recorded = pool.epochs_recorded()
        if not recorded or recorded[-1] > pool.epochs:
            message = f"nothing can be recorded so: the runs end after epoch {pool.epochs}"
            yield error(35, ("pool", "record"), message, "keep `first` and `last` within `epochs`")
    elif isinstance(pool, CheckpointsPoolSpec):
        for index, weights in enumerate(pool.weights):
            if isinstance(weights, TorchvisionWeightsSpec):
                yield from _published(experiment, data, weights, ("pool", "weights", index))
    elif isinstance(pool, PrunedPoolSpec) and isinstance(pool.converged, TorchvisionWeightsSpec):
        yield from _published(experiment, data, pool.converged, ("pool", "converged"))


def loose_settings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield settings that mean nothing beside the others."""
    shape, matcher = experiment.parameterization, experiment.matcher
    if shape.space == "zca" and experiment.update.clamp != "none":
        yield error(
            41,
            ("update", "clamp"),
            "whitening mixes all pixels, so no bounds of one of them are [0, 1] in ZCA space",
            "use `clamp: none`",
        )
    numbers = data.channels * data.size**2
    if shape.space == "zca" and numbers > WHITENED_NUMBERS:
        yield error(
            49,
            ("parameterization", "space"),
            f"images of {data.channels} x {data.size} x {data.size} cannot be whitened: the "
            f"covariance of {numbers:,} numbers is too large, {WHITENED_NUMBERS:,} are the most",
            "use `space: normalised`, or smaller images",
        )
    if shape.space != "zca" and shape.zca_eps is not None:
        message = f"`zca_eps` is of ZCA space, images are learned in {shape.space} space"
        yield error(42, ("parameterization", "zca_eps"), message, "use `space: zca`, or drop it")
    if not isinstance(matcher, DistributionMatcherSpec):
        return
    term = matcher.cross_entropy
    measured = isinstance(experiment.pool, OnlinePoolSpec)
    if term is not None and term.by_accuracy and not measured:
        yield error(
            44,
            ("matcher", "cross_entropy"),
            "the term is weighted by the accuracy of each network in its training, and only those "
            "of an `online` pool are trained along the way",
            "use `by_accuracy: false`, or `pool: {kind: online}`",
        )


def pixel_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield what is asked of networks where pixels are matched and nothing looks at any."""
    matcher = experiment.matcher
    if not isinstance(matcher, DistributionMatcherSpec) or matcher.features != "pixels":
        return
    idle = {
        ("pool", "kind"): (experiment.pool.kind, "fresh"),
        ("perturbation", "kind"): (experiment.perturbation.kind, "none"),
        ("inner", "kind"): (experiment.inner.kind, "frozen"),
    }
    for path, (kind, costless) in idle.items():
        if kind != costless:
            message = f"`{kind}` networks are made for nothing: pixels are matched without any"
            yield error(67, path, message, f"use `{costless}`, or `features: embedding`")
    if matcher.cross_entropy is not None:
        message = "the term is the loss of a network, and pixels are matched without any"
        hint = "drop it, or use `features: embedding`"
        yield error(68, ("matcher", "cross_entropy"), message, hint)


def trained(experiment: Experiment) -> bool:
    """Tell whether every network of the pool was trained on the data before distillation."""
    pool = experiment.pool
    if isinstance(pool, RecordedPoolSpec):
        return 0 not in pool.epochs_recorded()
    return isinstance(pool, CheckpointsPoolSpec | PrunedPoolSpec)


def _published(
    experiment: Experiment,
    data: DataFacts,
    weights: TorchvisionWeightsSpec,
    path: tuple[str | int, ...],
) -> Iterator[Finding]:
    network = experiment.network
    try:
        published_file(network, weights)
    except KeyError:
        known = False
    else:
        known = isinstance(network, TorchvisionSpec) and network.stem != "cifar"
    if not known:
        message = f"torchvision publishes no weights of `{network_name(network)}`"
        yield error(39, path, message, "use an architecture of torchvision as it is, or a file")
    elif len(data.classes) not in (0, CLASSES):
        message = f"published weights know {CLASSES} classes, this dataset has {len(data.classes)}"
        yield error(39, path, message, "train the network, or give weights of your own")


FIT_RULES = (
    shard_findings,
    inner_findings,
    statistics_findings,
    trajectory_findings,
    pool_findings,
    loose_settings,
    pixel_findings,
)
