"""The stream of networks and the draws: functions of their place and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.distillation.class_loop import Distillation
from ddspec_runners.distillation.draws import MatchingDraws
from ddspec_runners.distillation.state import State
from ddspec_runners.nets.base import Params
from ddspec_runners.pools.start import Point

AUGMENTED = {"matching_augmentation": {"kind": "dsa"}, "training_augmentation": {"kind": "dsa"}}
VIEWS = {"kind": "gradient", "distance": "l1", "real_batch": 4, "max_views": 5}


@pytest.fixture
def parts(bench: Any) -> Distillation:
    return assemble(bench.work(**AUGMENTED, matcher=VIEWS), bench.site("parts"))


def copied(params: Params) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in params.items()}


def networks(parts: Distillation, outer: int) -> list[Params]:
    return [point.params for point in parts.stream.window(outer)]


def same(a: Params, b: Params) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_window_has_one_network_for_each_inner_step_and_they_differ(parts: Distillation) -> None:
    window = networks(parts, 0)

    assert len(window) == 3
    assert not same(window[0], window[1])
    assert not same(window[1], window[2])


def test_yielded_networks_do_not_change_when_the_stream_goes_on(parts: Distillation) -> None:
    window = parts.stream.window(0)
    first = next(window).params
    before = copied(first)
    list(window)

    assert same(first, before)


def test_a_window_is_the_same_whatever_came_before(parts: Distillation) -> None:
    networks(parts, 0)
    after, fresh = networks(parts, 1), networks(parts, 1)

    assert all(same(a, b) for a, b in zip(after, fresh, strict=True))


def test_shards_see_the_same_networks(bench: Any, parts: Distillation) -> None:
    shard = bench.work(**AUGMENTED, matcher=VIEWS, classes={"start": 1, "stop": 2, "of": 3})
    other = assemble(shard, bench.site("shard"))

    for a, b in zip(networks(parts, 1), networks(other, 1), strict=True):
        assert same(a, b)


def test_a_frozen_network_stays(bench: Any) -> None:
    frozen = assemble(bench.work(inner={"kind": "frozen"}), bench.site("frozen"))
    window = networks(frozen, 0)

    assert len(window) == 3
    assert same(window[0], window[2])


def test_networks_start_from_the_perturbed_member_of_the_schedule(bench: Any) -> None:
    still = assemble(bench.work(perturbation={"kind": "none"}), bench.site("still"))
    moved = assemble(bench.work(), bench.site("moved"))
    for outer in range(4):
        row = still.stream.starts.schedule.row(outer)
        member = still.stream.starts.pool.start(row).params
        assert same(networks(still, outer)[0], member)
        assert not same(networks(moved, outer)[0], member)


def test_draws_of_a_class_do_not_depend_on_the_other_classes(parts: Distillation) -> None:
    whole = parts.draws.inner(1, 2)
    (alone,) = replace(parts.draws, classes=range(1, 2)).inner(1, 2)

    assert torch.equal(alone.real, whole[1].real)
    assert alone.views is not None
    assert whole[1].views is not None
    assert torch.equal(alone.views, whole[1].views)
    assert same(alone.augment, whole[1].augment)


def test_real_batches_walk_each_class_without_replacement(parts: Distillation) -> None:
    # Class 1 has 9 images at 11..19: two batches of 4 an epoch, one image left out.
    batches = [parts.draws.inner(t // 3, t % 3)[1].real for t in range(4)]

    for epoch in (batches[:2], batches[2:]):
        drawn = torch.cat(epoch).tolist()
        assert len(set(drawn)) == 8
        assert set(drawn) <= set(range(11, 20))


def test_views_are_a_fresh_subset_each_step_only_when_there_are_too_many(
    parts: Distillation,
) -> None:
    some = parts.draws.inner(0, 0)[0].views
    other = parts.draws.inner(0, 1)[0].views
    every = replace(parts.draws, max_views=8).inner(0, 0)[0].views

    assert some is not None
    assert other is not None
    assert len(set(some.tolist())) == 5
    assert set(some.tolist()) <= set(range(8))
    assert some.tolist() != other.tolist()
    assert every is None


def test_shared_augmentation_has_one_row(parts: Distillation) -> None:
    draws: MatchingDraws = parts.draws
    for own in draws.inner(0, 0):
        assert {len(value) for value in own.augment.values()} == {1}


def test_a_step_leaves_state_and_network_as_they_were(parts: Distillation) -> None:
    images = torch.rand(3, 2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator())
    state = State(images.clone(), {"velocity": torch.ones_like(images)})
    point: Point = next(iter(parts.stream.window(0)))
    before = copied(point.params)
    moved, losses = parts.matching.step(state, point, parts.draws.inner(0, 0))
    again, _ = parts.matching.step(state, point, parts.draws.inner(0, 0))

    assert torch.equal(state.images, images)
    assert torch.equal(state.memory["velocity"], torch.ones_like(images))
    assert same(point.params, before)
    assert torch.equal(moved.images, again.images)
    assert losses.shape == (3,)
    assert not moved.images.requires_grad
