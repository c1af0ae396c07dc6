"""Perturbation against Eq. 3 of Acc-DD, filter by filter."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ddspec.wire.schedule import ScheduleRow
from ddspec_runners.pools.perturb import perturb
from ddspec_runners.rng import generator

SHAPES = {
    "conv.weight": (5, 3, 3, 3),
    "conv.bias": (5,),
    "norm.weight": (5,),
    "layer.weight": (5, 4, 4),
    "classifier.weight": (10, 20),
    "classifier.bias": (10,),
}
ONE = ScheduleRow(loop=0, member=0, coefficients=(-70_000_000,), directions=(11,))
TWO = ScheduleRow(
    loop=1, member=0, coefficients=(1_000_000_000, -33_333_333), directions=(12, 2**63 - 1)
)
NONE = ScheduleRow(loop=2, member=0, coefficients=(), directions=())


def theta(dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    return {
        name: torch.randn(shape, generator=generator("theta", name), dtype=torch.float64).to(dtype)
        for name, shape in SHAPES.items()
    }


def naive(params: dict[str, Tensor], row: ScheduleRow) -> dict[str, list[list[float]]]:
    """Return the filters of every tensor of 2 or more dimensions, element by element."""
    filters = {name: p.flatten(1).tolist() for name, p in params.items() if p.ndim >= 2}
    moved = {name: [list(one) for one in own] for name, own in filters.items()}
    for nano, seed in zip(row.coefficients, row.directions, strict=True):
        rng = generator("direction", seed)
        for name, own in filters.items():
            drawn = torch.randn(params[name].shape, generator=rng).flatten(1).tolist()
            for f, (weights, direction) in enumerate(zip(own, drawn, strict=True)):
                size = math.sqrt(sum(w * w for w in weights))
                length = math.sqrt(sum(d * d for d in direction)) + 1e-10
                for i, d in enumerate(direction):
                    moved[name][f][i] += nano * 1e-9 * d / length * size
    return moved


@pytest.mark.parametrize("row", [ONE, TWO, NONE], ids=["one", "two", "none"])
def test_weights_move_as_the_naive_loop_says(row: ScheduleRow) -> None:
    moved, expected = perturb(theta(), row), naive(theta(), row)

    for name, filters in expected.items():
        mine = moved[name].flatten(1)
        # sums of at most 27 squares in another order
        torch.testing.assert_close(mine, mine.new_tensor(filters), rtol=1e-13, atol=1e-14)


def test_every_filter_moves_by_the_coefficient_times_its_norm() -> None:
    params = theta()
    moved = perturb(params, ONE)

    for name, p in params.items():
        if p.ndim >= 2:
            ratio = (moved[name] - p).flatten(1).norm(dim=1) / p.flatten(1).norm(dim=1)
            # 1e-10 in the denominator and the rounding of a difference
            torch.testing.assert_close(ratio, torch.full_like(ratio, 0.07), rtol=1e-9, atol=0)


def test_tensors_of_one_dimension_stay() -> None:
    params = theta()
    moved = perturb(params, TWO)

    assert list(moved) == list(params)
    assert [name for name in params if moved[name] is params[name]] == [
        name for name, shape in SHAPES.items() if len(shape) == 1
    ]


def test_nothing_is_mutated() -> None:
    params = theta()

    perturb(params, TWO)

    assert all(p.equal(theta()[name]) for name, p in params.items())


def test_equal_rows_perturb_equally_and_other_seeds_differ() -> None:
    other = ScheduleRow(loop=0, member=0, coefficients=ONE.coefficients, directions=(12,))
    name = "conv.weight"

    assert perturb(theta(), ONE)[name].equal(perturb(theta(), ONE)[name])
    assert not perturb(theta(), ONE)[name].equal(perturb(theta(), other)[name])


def test_the_perturbation_scales_with_the_network() -> None:
    params = theta()
    moved = perturb({name: 4 * p for name, p in params.items()}, TWO)

    # a factor of two is exact in binary numbers, so are all sums, products and roots behind it
    assert all(moved[name].equal(4 * p) for name, p in perturb(params, TWO).items())


def test_coefficients_of_opposite_sign_move_to_opposite_sides() -> None:
    params, name = theta(), "classifier.weight"
    back = ScheduleRow(loop=0, member=0, coefficients=(70_000_000,), directions=(11,))
    middle = (perturb(params, ONE)[name] + perturb(params, back)[name]) / 2

    torch.testing.assert_close(middle, params[name], rtol=1e-15, atol=1e-15)


def test_a_filter_of_zeros_stays_zero() -> None:
    params = {"w": torch.zeros(2, 3, dtype=torch.float64)}

    assert perturb(params, TWO)["w"].equal(params["w"])


def test_precision_is_that_of_the_network_and_the_direction_the_same() -> None:
    single, double = perturb(theta(torch.float32), ONE), perturb(theta(), ONE)

    assert {p.dtype for p in single.values()} == {torch.float32}
    for name, p in single.items():
        # float32 rounding of theta, 6e-8, and a few operations on it
        torch.testing.assert_close(p.double(), double[name], rtol=1e-5, atol=1e-6)
