"""From a distillation's work and inputs to the parts of its loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

import torch
from torch import Tensor

from ddspec.spec.matcher import classes_together
from ddspec.spec.method import (
    DistributionMatcherSpec,
    FreshPoolSpec,
    FrozenInnerSpec,
    GradientMatcherSpec,
    OnlinePoolSpec,
    OnRealInnerSpec,
    OnSyntheticInnerSpec,
    StatisticsMatcherSpec,
    TrajectoryMatcherSpec,
    UnrolledInnerSpec,
)
from ddspec.wire.work import DistillWork
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.class_loop import Distillation
from ddspec_runners.distillation.draws import MatchingDraws
from ddspec_runners.distillation.loop import Averaged, Loops
from ddspec_runners.distillation.queued import Queued
from ddspec_runners.distillation.setting import Setting
from ddspec_runners.distillation.step import Matching
from ddspec_runners.distillation.student import Curriculum
from ddspec_runners.distillation.trajectory import TrajectoryLoops
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.update import Rule
from ddspec_runners.matchers.base import Matcher
from ddspec_runners.matchers.distribution import DistributionMatcher
from ddspec_runners.matchers.table import make_matcher
from ddspec_runners.matchers.trajectory import TrajectoryMatcher
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.parameterization.init import initial_images
from ddspec_runners.pools.dependent import DependentNetworks
from ddspec_runners.pools.experts import Experts
from ddspec_runners.pools.fresh import FreshPool, NoNetworks
from ddspec_runners.pools.online import OnlinePool
from ddspec_runners.pools.recorded import RecordedPool
from ddspec_runners.pools.start import Pool, Starts
from ddspec_runners.pools.statistics import RealStatistics
from ddspec_runners.pools.stream import NetworkStream
from ddspec_runners.pools.training import RealTraining, Training
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site


def assemble(work: DistillWork, site: Site) -> Loops:
    """Return the loops of a distillation; raises BadJob where the inputs do not fit the work."""
    setting = Setting.of_work(work, site)
    loops = _queued(work, site, setting)
    average = work.update.averaging
    return loops if average is None else Averaged(loops, average)


def first_images(work: DistillWork, site: Site, split: PreparedSplit, classes: range) -> Tensor:
    """Return the images that distillation starts from, (K', n, C, H, W), on the device."""
    return initial_images(
        work.parameterization,
        work.init,
        work.images_per_class,
        split,
        work.seed,
        classes,
        dtype=dtype_of(work.precision),
    ).to(site.device)


def image_rule(work: DistillWork, parameterization: Parameterization) -> Rule:
    """Return how the images of a work move, over all of its outer loops."""
    loops = work.stop if work.loops is None else work.loops
    return Rule.of(
        work.update,
        steps=loops * work.inner_steps,
        of_loop=work.inner_steps,
        limit=parameterization.clamp if work.update.clamp == "every_step" else None,
    )


def make_pool(work: DistillWork, site: Site, setting: Setting) -> Pool:
    """Return where the networks of a work come from; raises BadJob where an input is missing."""
    dtype, network = dtype_of(work.precision), setting.network
    match work.networks:
        case None:
            runs = work.schedule.members // len(work.record or (0,))
            folders = [site.inputs[f"pool/{i}"] for i in range(runs)]
            return RecordedPool.open(
                folders, network, record=work.record, dtype=dtype, device=site.device
            )
        case FreshPoolSpec():
            return FreshPool(network, work.seed, dtype, site.device)
        case OnlinePoolSpec():
            if setting.queue is None:
                raise BadJob(f"`{work.matcher.kind}` matching keeps no queue of networks")
            return setting.queue
        case _:
            assert_never(work.networks)


def _queued(work: DistillWork, site: Site, setting: Setting) -> Loops:
    if not isinstance(work.networks, OnlinePoolSpec):
        return _loops(work, site, setting)
    split = setting.split
    policy = make_policy(work.training_augmentation, mean=split.mean, std=split.std)
    training = RealTraining(setting.network, split, policy, work.cutmix)
    dtype = dtype_of(work.precision)
    pool = OnlinePool(work.networks, training, work.seed, dtype, site.device)
    return Queued(pool, lambda queue: _loops(work, site, replace(setting, queue=queue)))


def _loops(work: DistillWork, site: Site, setting: Setting) -> Loops:
    match work.matcher:
        case GradientMatcherSpec() | DistributionMatcherSpec() as matcher:
            return _by_class(work, site, setting, matcher)
        case TrajectoryMatcherSpec() as matcher:
            return _trajectory(work, site, setting, matcher)
        case StatisticsMatcherSpec():
            raise BadJob(f"this version has no matcher `{work.matcher.kind}`")
        case _:
            assert_never(work.matcher)


def _by_class(
    work: DistillWork,
    site: Site,
    setting: Setting,
    matcher: GradientMatcherSpec | DistributionMatcherSpec,
) -> Distillation:
    split, made = setting.split, make_matcher(matcher, setting.network)
    if made.blocks == "whole" and work.classes is not None:
        raise BadJob("batch norm sees the images of all classes at once, so the set has no shards")
    policy = make_policy(work.matching_augmentation, mean=split.mean, std=split.std)
    views = setting.parameterization.count(work.images_per_class)
    most = views if matcher.max_views is None else matcher.max_views
    images = max(matcher.real_batch, min(views, most))
    starts = _starts(work, site, setting, matcher)
    return Distillation(
        matching=Matching(
            matcher=made,
            parameterization=setting.parameterization,
            policy=policy,
            rule=image_rule(work, setting.parameterization),
            split=split,
            classes=setting.classes,
            of=setting.of,
            together=_together(made, setting, images, site.device),
        ),
        draws=MatchingDraws(
            seed=work.seed,
            split=split,
            policy=policy,
            classes=setting.classes,
            inner_steps=work.inner_steps,
            real_batch=matcher.real_batch,
            views=views,
            max_views=most,
        ),
        stream=stream_of(work, setting, starts),
        clamp=work.update.clamp == "outer_loop",
        shape=setting.shape,
    )


def _starts(
    work: DistillWork,
    site: Site,
    setting: Setting,
    matcher: GradientMatcherSpec | DistributionMatcherSpec,
) -> Starts:
    """Return where outer loops start, with what batch norm goes by while matching."""
    match matcher:
        case GradientMatcherSpec():
            frozen = matcher.batch_norm == "frozen" and bool(setting.network.buffers())
            real = RealStatistics(setting.network, setting.split, work.seed) if frozen else None
            return Starts(make_pool(work, site, setting), work.schedule, real)
        case DistributionMatcherSpec(features="pixels"):
            return Starts(NoNetworks(), work.schedule)
        case DistributionMatcherSpec():
            running = matcher.batch_norm == "running"
            return Starts(make_pool(work, site, setting), work.schedule, running=running)
        case _:
            assert_never(matcher)


def _together(matcher: Matcher[Any], setting: Setting, images: int, device: torch.device) -> int:
    """Return how many classes go through a network in one pass, `images` a class at most.

    Small passes leave an accelerator waiting for the next. On a CPU they are the faster ones, and
    those of one class have the same bits in every shard.
    """
    if matcher.blocks == "whole":
        return len(setting.classes)
    if device.type == "cpu" or not isinstance(matcher, DistributionMatcher):
        return 1
    return classes_together(images, setting.split.card.size)


def _trajectory(
    work: DistillWork, site: Site, setting: Setting, matcher: TrajectoryMatcherSpec
) -> TrajectoryLoops:
    inner, split, network = work.inner, setting.split, setting.network
    if not isinstance(inner, UnrolledInnerSpec) or work.inner_steps != 1:
        raise BadJob("`trajectory` matching has one update an outer loop, after `unrolled` steps")
    if work.classes is not None:
        raise BadJob("a student learns from all classes at once, so that its set has no shards")
    if work.update.clock == "shared":
        raise BadJob("a shared clock ticks once a class, and here all images move at once")
    if work.schedule.starts != matcher.max_start:
        raise BadJob("the schedule has other starts than `matcher.max_start`")
    policy = make_policy(work.training_augmentation, mean=split.mean, std=split.std)
    return TrajectoryLoops(
        matcher=TrajectoryMatcher(matcher),
        experts=Experts.open(
            [site.inputs[f"pool/{i}"] for i in range(work.schedule.members)],
            network,
            starts=matcher.max_start,
            epochs=matcher.expert_epochs,
            dtype=dtype_of(work.precision),
            device=site.device,
        ),
        schedule=work.schedule,
        curriculum=Curriculum(
            network, policy, work.cutmix, inner.steps, inner.batch, split.card.size, work.seed
        ),
        inner=inner,
        labels=work.labels,
        network=network,
        parameterization=setting.parameterization,
        rule=image_rule(work, setting.parameterization),
        split=split,
        classes=setting.classes,
        shape=setting.shape,
        clamp=work.update.clamp == "outer_loop",
    )


def stream_of(
    work: DistillWork, setting: Setting, starts: Starts
) -> NetworkStream | DependentNetworks:
    """Return how networks move inside the outer loops of a work that matches by class."""
    split, steps = setting.split, work.inner_steps
    policy = make_policy(work.training_augmentation, mean=split.mean, std=split.std)
    match work.inner:
        case FrozenInnerSpec() | OnRealInnerSpec():
            training = RealTraining(setting.network, split, policy, work.cutmix)
            return NetworkStream(starts, work.inner, steps, training, work.seed)
        case OnSyntheticInnerSpec() if work.classes is not None and steps > 1:
            raise BadJob("networks that are trained on the whole synthetic set have no shards")
        case OnSyntheticInnerSpec():
            own = Training(setting.network, policy, work.cutmix)
            shape = setting.parameterization
            return DependentNetworks(starts, work.inner, steps, own, shape, work.seed)
        case _:
            raise BadJob(f"`{work.matcher.kind}` matching cannot move networks so: {work.inner!r}")
