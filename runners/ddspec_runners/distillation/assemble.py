"""From a distillation's work and inputs to the parts of its loops."""

from __future__ import annotations

from ddspec.spec.method import FreshPoolSpec, GradientMatcherSpec, MatcherSpec
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
from ddspec_runners.parameterization.make import make_parameterization
from ddspec_runners.pools.fresh import FreshPool
from ddspec_runners.pools.recorded import RecordedPool
from ddspec_runners.pools.stream import NetworkStream, Pool
from ddspec_runners.pools.training import RealTraining, nearby
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site


def assemble(work: DistillWork, site: Site) -> Distillation:
    """Return the parts of a distillation; raises BadJob where the inputs do not fit the work."""
    split = nearby(PreparedSplit.open(site.inputs["train"]), site.device)
    card = split.card
    count = len(card.classes)
    classes = _classes(work.classes, count)
    network = make_network(work.network, channels=card.channels, size=card.size, classes=count)
    parameterization = make_parameterization(work.parameterization, mean=split.mean, std=split.std)
    policy = make_policy(work.matching_augmentation, mean=split.mean, std=split.std)
    training_policy = make_policy(work.training_augmentation, mean=split.mean, std=split.std)
    matcher = _gradient(work.matcher)
    return Distillation(
        matching=Matching(
            matcher=make_matcher(matcher, network),
            parameterization=parameterization,
            policy=policy,
            rule=Rule.of(work.update),
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
            views=work.images_per_class * parameterization.views,
            max_views=matcher.max_views,
        ),
        stream=NetworkStream(
            pool=_pool(work, site, network),
            schedule=work.schedule,
            inner=work.inner,
            inner_steps=work.inner_steps,
            training=RealTraining(network, split, training_policy, work.cutmix),
            seed=work.seed,
        ),
        clamp=work.update.clamp == "outer_loop",
    )


def _gradient(matcher: MatcherSpec) -> GradientMatcherSpec:
    if not isinstance(matcher, GradientMatcherSpec):
        raise BadJob(f"this version has no matcher `{matcher.kind}`")
    return matcher


def _pool(work: DistillWork, site: Site, network: Network) -> Pool:
    dtype = dtype_of(work.precision)
    match work.networks:
        case None if work.record is None:
            folders = [site.inputs[f"pool/{i}"] for i in range(work.schedule.members)]
            return RecordedPool.open(folders, network, dtype=dtype, device=site.device)
        case FreshPoolSpec():
            return FreshPool(network, work.seed, dtype, site.device)
        case _:
            raise BadJob("this version knows pools of one network a stage, and fresh networks")


def _classes(shard: ClassRange | None, count: int) -> range:
    if shard is None:
        return range(count)
    if shard.of != count or not 0 <= shard.start < shard.stop <= count:
        raise BadJob(
            f"classes {shard.start}..{shard.stop - 1} of {shard.of} are no shard of {count} classes"
        )
    return range(shard.start, shard.stop)
