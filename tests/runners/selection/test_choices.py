"""Herding, k-center and forgetting against slow definitions of them, and what must not move them.

The oracles are lists and loops in Python's floats, written from the papers. What is chosen are
whole numbers: with random features no two distances agree to 1e-9, so rounding chooses nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ddspec_runners.rng import generator
from ddspec_runners.selection import distances
from ddspec_runners.selection.forgetting import NEVER, forgetting
from ddspec_runners.selection.herding import herding
from ddspec_runners.selection.k_center import k_center

Choice = Callable[[Tensor, int], Tensor]
CHOICES = pytest.mark.parametrize(
    "choose", [pytest.param(herding, id="herding"), pytest.param(k_center, id="k-center")]
)
SHAPES = pytest.mark.parametrize(
    ("images", "width"), [(30, 5), (7, 1), (40, 64)], ids=["narrow", "a line", "wide"]
)

Rows = list[list[float]]


def features(images: int, width: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(images, width, generator=generator("features", images), dtype=dtype)


def slow_mean(rows: Rows) -> list[float]:
    return [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]


def slow_herding(rows: Rows, count: int) -> list[int]:
    """Each time try all that are left, and keep the one that brings the mean nearest."""
    mean = slow_mean(rows)
    chosen: list[int] = []
    for _ in range(count):
        left = [i for i in range(len(rows)) if i not in chosen]
        gaps = {i: math.dist(mean, slow_mean([rows[j] for j in [*chosen, i]])) for i in left}
        chosen.append(min(left, key=lambda i: gaps[i]))
    return chosen


def slow_k_center(rows: Rows, count: int) -> list[int]:
    mean = slow_mean(rows)
    chosen = [min(range(len(rows)), key=lambda i: math.dist(rows[i], mean))]
    while len(chosen) < count:
        left = [i for i in range(len(rows)) if i not in chosen]
        gaps = {i: min(math.dist(rows[i], rows[j]) for j in chosen) for i in left}
        chosen.append(max(left, key=lambda i: gaps[i]))
    return chosen


@SHAPES
def test_herding_brings_the_mean_of_the_chosen_nearest(images: int, width: int) -> None:
    rows = features(images, width)

    assert herding(rows, 6).tolist() == slow_herding(rows.tolist(), 6)


@SHAPES
def test_k_center_takes_the_farthest_from_what_it_has(images: int, width: int) -> None:
    rows = features(images, width)

    assert k_center(rows, 6).tolist() == slow_k_center(rows.tolist(), 6)


@pytest.mark.parametrize("seed", range(5))
def test_k_center_is_at_most_twice_as_far_as_the_best_choice(seed: int) -> None:
    rows = torch.randn(9, 2, generator=generator("radius", seed), dtype=torch.float64)

    def radius(chosen: tuple[int, ...]) -> float:
        return float(torch.cdist(rows, rows[list(chosen)]).amin(1).amax())

    best = min(radius(chosen) for chosen in itertools.combinations(range(9), 3))
    assert radius(tuple(k_center(rows, 3).tolist())) <= 2 * best


def test_herding_follows_the_mean_better_than_images_at_random() -> None:
    rows = features(200, 16)
    mean = rows.double().mean(0)

    gap = (rows[herding(rows, 10)].double().mean(0) - mean).norm()

    draws = (torch.randperm(200, generator=generator("draw", i))[:10] for i in range(50))
    assert gap < 0.5 * min((rows[draw].double().mean(0) - mean).norm() for draw in draws)


@CHOICES
def test_the_order_of_images_does_not_matter(choose: Choice) -> None:
    rows = features(30, 5)
    order = torch.randperm(30, generator=generator("order"))

    assert order[choose(rows[order], 8)].equal(choose(rows, 8))


@CHOICES
@pytest.mark.parametrize(
    "moved",
    [
        pytest.param(lambda rows: rows + 3.5, id="shifted"),
        pytest.param(lambda rows: rows * 7.0, id="scaled"),
        pytest.param(lambda rows: rows.flip(1), id="turned"),
    ],
)
def test_where_features_lie_does_not_matter(
    choose: Choice, moved: Callable[[Tensor], Tensor]
) -> None:
    rows = features(30, 5, dtype=torch.float64)

    assert choose(moved(rows), 8).equal(choose(rows, 8))


@CHOICES
def test_fewer_are_the_first_of_more(choose: Choice) -> None:
    rows = features(30, 5)

    assert choose(rows, 3).equal(choose(rows, 12)[:3])


@CHOICES
def test_all_images_can_be_chosen_each_once(choose: Choice) -> None:
    assert choose(features(12, 4), 12).sort().values.tolist() == list(range(12))


@CHOICES
def test_images_with_equal_features_are_taken_in_order_each_once(choose: Choice) -> None:
    assert choose(torch.ones(9, 4), 5).tolist() == [0, 1, 2, 3, 4]


def test_k_center_leaves_copies_of_what_it_has_to_the_last() -> None:
    rows = torch.tensor([[0.0], [0.0], [1.0], [1.0], [5.0], [5.0]])

    chosen = rows[k_center(rows, 6), 0].tolist()

    assert chosen == [1.0, 5.0, 0.0, 0.0, 1.0, 5.0]


def test_herding_may_take_copies() -> None:
    rows = torch.tensor([[2.0], [2.0], [0.0], [4.0]])

    assert herding(rows, 2).tolist() == [0, 1]


@CHOICES
def test_how_many_rows_are_widened_at_once_does_not_matter(
    choose: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = features(30, 5)
    whole = choose(rows, 8)

    monkeypatch.setattr(distances, "WIDENED", 35)

    assert choose(rows, 8).equal(whole)


def slow_forgetting(forgotten: list[int], learned: list[int], order: list[int]) -> list[int]:
    def times(image: int) -> float:
        return math.inf if learned[image] == NEVER else forgotten[image]

    return sorted(order, key=lambda image: -times(image))  # sorted keeps the order of equal ones


def test_what_is_forgotten_most_often_comes_first_and_before_it_what_was_never_learned() -> None:
    rng = generator("events")
    forgotten = torch.randint(0, 4, (50,), generator=rng)
    learned = torch.randint(NEVER, 5, (50,), generator=rng)
    order = torch.randperm(50, generator=rng)

    found = forgetting(forgotten, learned, order).tolist()

    assert found == slow_forgetting(forgotten.tolist(), learned.tolist(), order.tolist())
    assert learned[found[0]] == NEVER


def test_images_forgotten_equally_often_come_in_the_order_given() -> None:
    order = torch.tensor([3, 1, 0, 2])

    assert forgetting(torch.zeros(4).long(), torch.ones(4).long(), order).equal(order)
