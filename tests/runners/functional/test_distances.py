"""Distances against loops over single numbers, and what each is blind to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import sqrt

import pytest
import torch
from torch import Tensor

from ddspec_runners.functional.distances import DISTANCES

SHAPES = [(3, 2, 2, 2), (3,), (4, 5), (4,)]


def gradient(seed: int) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=rng, dtype=torch.float64) for shape in SHAPES]


def numbers(a: Sequence[Tensor], b: Sequence[Tensor]) -> Iterator[tuple[float, float]]:
    for p, q in zip(a, b, strict=True):
        yield from zip(p.flatten().tolist(), q.flatten().tolist(), strict=True)


def plain_cosine(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    total = 0.0
    for p, q in zip(a, b, strict=True):
        if p.ndim == 1:
            continue
        for row in range(len(p)):
            pairs = list(numbers([p[row]], [q[row]]))
            dot = sum(x * y for x, y in pairs)
            norms = sqrt(sum(x * x for x, _ in pairs)) * sqrt(sum(y * y for _, y in pairs))
            total += 1 - dot / (norms + 1e-6)
    return total


def plain_channel_mean(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    total = 0.0
    for p, q in zip(a, b, strict=True):
        for row in range(len(p)):
            apart = [abs(x - y) for x, y in numbers([p[row]], [q[row]])]
            total += sum(apart) / len(apart)
    return total


PLAIN: dict[str, Callable[[Sequence[Tensor], Sequence[Tensor]], float]] = {
    "squared": lambda a, b: sum((x - y) ** 2 for x, y in numbers(a, b)),
    "l1": lambda a, b: sum(abs(x - y) for x, y in numbers(a, b)),
    "channel_mean": plain_channel_mean,
    "cosine": plain_cosine,
}


def test_every_distance_has_an_oracle() -> None:
    assert set(PLAIN) == set(DISTANCES)


def test_channel_means_by_hand() -> None:
    kernel = torch.tensor([[[[1.0, 2.0]]], [[[0.0, -4.0]]]], dtype=torch.float64)
    bias = torch.tensor([3.0, -5.0], dtype=torch.float64)
    nothing = [torch.zeros_like(kernel), torch.zeros_like(bias)]

    # rows of the kernel: (1 + 2) / 2 and (0 + 4) / 2; each element of the bias is its own row
    assert DISTANCES["channel_mean"]([kernel, bias], nothing).item() == 1.5 + 2 + 3 + 5


def test_cosine_takes_a_layer_norm_by_channels() -> None:
    rng = torch.Generator().manual_seed(3)
    scale, other = torch.randn(2, 2, 3, 3, dtype=torch.float64, generator=rng)

    # DC's code views (C, H, W) as C rows of H W numbers
    rows = [
        plain_cosine([p.reshape(1, -1)], [q.reshape(1, -1)])
        for p, q in zip(scale, other, strict=True)
    ]

    assert DISTANCES["cosine"]([scale], [other]).item() == pytest.approx(sum(rows), rel=1e-13)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_equals_the_loop_over_its_numbers(name: str) -> None:
    a, b = gradient(1), gradient(2)

    assert DISTANCES[name](a, b).item() == pytest.approx(PLAIN[name](a, b), rel=1e-13)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_is_symmetric(name: str) -> None:
    a, b = gradient(1), gradient(2)

    # Products commute exactly; only the order of norms does not enter.
    assert DISTANCES[name](a, b).item() == DISTANCES[name](b, a).item()


@pytest.mark.parametrize("name", DISTANCES)
def test_a_gradient_is_at_distance_zero_of_itself(name: str) -> None:
    a = gradient(1)

    # cosine: 7 rows of 1 - n^2 / (n^2 + 1e-6) with n > 1, hence below 7e-6
    assert 0 <= DISTANCES[name](a, a).item() < 7e-6


def test_cosine_ignores_vectors_and_the_length_of_rows() -> None:
    a, b = gradient(1), gradient(2)
    longer = [p * 100 if p.ndim > 1 else p + 1 for p in b]

    # The epsilon 1e-6 changes each of 7 rows by at most 1e-6 / (norms > 1).
    assert DISTANCES["cosine"](a, longer).item() == pytest.approx(
        DISTANCES["cosine"](a, b).item(), abs=7e-6
    )


def test_cosine_of_a_row_without_gradient_is_one_and_its_slope_is_finite() -> None:
    zero = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    distance = DISTANCES["cosine"]([torch.ones(1, 3, dtype=torch.float64)], [zero])
    (slope,) = torch.autograd.grad(distance, zero)

    assert distance.item() == 1
    assert slope.isfinite().all()


@pytest.mark.parametrize("name", DISTANCES)
def test_gradients_of_different_length_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        DISTANCES[name](gradient(1), gradient(2)[:2])
