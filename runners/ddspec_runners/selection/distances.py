"""Distances of many features from one point, in float64 and a bounded amount of memory."""

from __future__ import annotations

import torch
from torch import Tensor

WIDENED = 2**17
"""Numbers that are widened to float64 at once: a megabyte, which stays in a cache. How many
there are moves a mean by rounding alone."""


def squared_distances(features: Tensor, point: Tensor) -> Tensor:
    """Return the squared Euclidean distance of each row (n, D) from a point (D,): float64 (n,)."""
    parts = [(part.double() - point).square_().sum(1) for part in _parts(features)]
    return torch.cat(parts)


def mean_of(features: Tensor) -> Tensor:
    """Return the mean row of (n, D), summed in float64: (D,)."""
    total = torch.zeros(features.shape[1], dtype=torch.float64, device=features.device)
    for part in _parts(features):
        total += part.double().sum(0)
    return total / len(features)


def _parts(features: Tensor) -> tuple[Tensor, ...]:
    return torch.split(features, max(1, WIDENED // features.shape[1]))
