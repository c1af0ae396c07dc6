"""From a distillation's work and inputs to the parts of its loops."""

from __future__ import annotations

from dataclasses import replace

from ddspec.spec.method import (
    AnyUpdateSpec,
    FreshPoolSpec,
    FrozenInnerSpec,
    GradientMatcherSpec,
    MatcherSpec,
    OnRealInnerSpec,
    OnSyntheticInnerSpec,
)
from ddspec.wire.work import ClassRange, DistillWork
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.draws import MatchingDraws
from ddspec_runners.distillation.loop import Distillation
from ddspec_runners.distillation.step import Matching
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.clock import Rule
from ddspec_runners.matchers.table import make_matcher
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.make import make_network
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.parameterization.make import make_parameterization
from ddspec_runners.parameterization.space import as_learned
from ddspec_runners.pools.dependent import DependentNetworks
from ddspec_runners.pools.fresh import FreshPool
from ddspec_runners.pools.recorded import RecordedPool
from ddspec_runners.pools.start import Pool, Starts
from ddspec_runners.pools.statistics import RealStatistics
from ddspec_runners.pools.stream import NetworkStream
from ddspec_runners.pools.training import RealTraining, Training, nearby
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site


def assemble(work: DistillWork, site: Site) -> Distillation:
    """Return the parts of a distillation; raises BadJob where the inputs do not fit the work."""
    split = nearby(PreparedSplit.open(site.inputs["train"]), site.device)
    split = as_learned(split, work.parameterization)
    card = split.card
    count = len(card.classes)
    classes = _classes(work.classes, count)
    network = make_network(work.network, channels=card.channels, size=card.size, classes=count)
    parameterization = make_parameterization(
        work.parameterization, mean=split.mean, std=split.std, whitening=split.whitening
    )
    policy = make_policy(work.matching_augmentation, mean=split.mean, std=split.std)
    training_policy = make_policy(work.training_augmentation, mean=split.mean, std=split.std)
    matcher = _gradient(work.matcher)
    frozen = matcher.batch_norm == "frozen" and bool(network.buffers())
    statistics = RealStatistics(network, split, work.seed) if frozen else None
    return Distillation(
        matching=Matching(
            matcher=make_matcher(matcher, network),
            parameterization=parameterization,
            policy=policy,
            rule=_rule(work.update, parameterization),
            split=split,
            classes=classes,
            of=count,
        ),
        draws=MatchingDraws(
            seed=work.seed,
            split=split,
            policy=policy,
            classes=classes,
            inner_steps=work.inner_steps,
            real_batch=matcher.real_batch,
            views=parameterization.count(work.images_per_class),
            max_views=matcher.max_views,
        ),
        stream=_stream(
            work,
            Starts(_pool(work, site, network), work.schedule, statistics),
            RealTraining(network, split, training_policy, work.cutmix),
            parameterization,
        ),
        clamp=work.update.clamp == "outer_loop",
    )


def _stream(
    work: DistillWork, starts: Starts, training: RealTraining, parameterization: Parameterization
) -> NetworkStream | DependentNetworks:
    steps = work.inner_steps
    match work.inner:
        case FrozenInnerSpec() | OnRealInnerSpec():
            return NetworkStream(starts, work.inner, steps, training, work.seed)
        case OnSyntheticInnerSpec() if work.classes is not None and steps > 1:
            raise BadJob("networks that are trained on the whole synthetic set have no shards")
        case OnSyntheticInnerSpec():
            own = Training(training.network, training.policy, training.cutmix)
            return DependentNetworks(starts, work.inner, steps, own, parameterization, work.seed)
        case _:
            raise BadJob(f"this version cannot move networks so: {work.inner!r}")


def _rule(update: AnyUpdateSpec, parameterization: Parameterization) -> Rule:
    limit = parameterization.clamp if update.clamp == "every_step" else None
    return replace(Rule.of(update), limit=limit)


def _gradient(matcher: MatcherSpec) -> GradientMatcherSpec:
    if not isinstance(matcher, GradientMatcherSpec):
        raise BadJob(f"this version has no matcher `{matcher.kind}`")
    return matcher


def _pool(work: DistillWork, site: Site, network: Network) -> Pool:
    dtype = dtype_of(work.precision)
    match work.networks:
        case None:
            runs = work.schedule.members // len(work.record or (0,))
            folders = [site.inputs[f"pool/{i}"] for i in range(runs)]
            return RecordedPool.open(
                folders, network, record=work.record, dtype=dtype, device=site.device
            )
        case FreshPoolSpec():
            return FreshPool(network, work.seed, dtype, site.device)
        case _:
            raise BadJob("this version knows recorded networks, and fresh ones")


def _classes(shard: ClassRange | None, count: int) -> range:
    if shard is None:
        return range(count)
    if shard.of != count or not 0 <= shard.start < shard.stop <= count:
        raise BadJob(
            f"classes {shard.start}..{shard.stop - 1} of {shard.of} are no shard of {count} classes"
        )
    return range(shard.start, shard.stop)
