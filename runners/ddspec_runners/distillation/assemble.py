"""From a distillation's work and inputs to the parts of its loops."""

from __future__ import annotations

from ddspec.wire.work import ClassRange, DistillWork
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.draws import MatchingDraws
from ddspec_runners.distillation.loop import Distillation
from ddspec_runners.distillation.step import Matching
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.clock import Rule
from ddspec_runners.matchers.table import make_matcher
from ddspec_runners.nets.make import make_network
from ddspec_runners.parameterization.make import make_parameterization
from ddspec_runners.pools.recorded import RecordedPool
from ddspec_runners.pools.stream import NetworkStream
from ddspec_runners.pools.training import RealTraining, nearby
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site


def assemble(work: DistillWork, site: Site) -> Distillation:
    """Return the parts of a distillation; raises BadJob where the inputs do not fit the work."""
    split = nearby(PreparedSplit.open(site.inputs["train"]), site.device)
    card, dtype = split.card, dtype_of(work.precision)
    count = len(card.classes)
    classes = _classes(work.classes, count)
    network = make_network(work.network, channels=card.channels, size=card.size, classes=count)
    parameterization = make_parameterization(work.parameterization, mean=split.mean, std=split.std)
    policy = make_policy(work.matching_augmentation, mean=split.mean, std=split.std)
    training_policy = make_policy(work.training_augmentation, mean=split.mean, std=split.std)
    folders = [site.inputs[f"pool/{i}"] for i in range(work.schedule.members)]
    return Distillation(
        matching=Matching(
            matcher=make_matcher(work.matcher, network),
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
            real_batch=work.matcher.real_batch,
            views=work.images_per_class * parameterization.views,
            max_views=work.matcher.max_views,
        ),
        stream=NetworkStream(
            pool=RecordedPool.open(folders, network, dtype=dtype, device=site.device),
            schedule=work.schedule,
            inner=work.inner,
            inner_steps=work.inner_steps,
            training=RealTraining(network, split, training_policy, work.cutmix),
            seed=work.seed,
        ),
        clamp=work.update.clamp == "outer_loop",
    )


def _classes(shard: ClassRange | None, count: int) -> range:
    if shard is None:
        return range(count)
    if shard.of != count or not 0 <= shard.start < shard.stop <= count:
        raise BadJob(
            f"classes {shard.start}..{shard.stop - 1} of {shard.of} are no shard of {count} classes"
        )
    return range(shard.start, shard.stop)
