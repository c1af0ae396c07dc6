"""Distances between two gradients, each a tuple of tensors in one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Distance: TypeAlias = "Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]"

COSINE_EPSILON = 1e-6
"""Added to the product of norms, so that a row without gradient is at distance 1, not NaN."""


def squared(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return the sum of squared differences over all elements, not averaged (IDC's `mse`)."""
    return _total([(p - q).square().sum() for p, q in zip(a, b, strict=True)])


def l1(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return the sum of absolute differences over all elements (IDC's `l1`)."""
    return _total([(p - q).abs().sum() for p, q in zip(a, b, strict=True)])


def channel_mean(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return the sum over rows of the mean absolute difference in a row (IDC's `l1_mean`).

    The first axis of a tensor counts its rows: output channels of a convolution, outputs of a
    linear layer, and every element of a vector.
    """
    apart = [(p - q).abs().reshape(len(p), -1) for p, q in zip(a, b, strict=True)]
    return _total([rows.mean(1).sum() for rows in apart])


def cosine(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Return the sum over rows of 1 - <p, q> / (|p| |q| + 1e-6) (DC, Zhao et al., ICLR 2021).

    The first axis of a tensor counts its rows: output channels of a convolution, outputs of a
    linear layer. Tensors of one dimension contribute nothing.
    """
    return _total([_rows_apart(p, q) for p, q in zip(a, b, strict=True) if p.ndim > 1])


def _rows_apart(p: Tensor, q: Tensor) -> Tensor:
    p, q = p.flatten(1), q.flatten(1)
    norms = torch.linalg.vector_norm(p, dim=1) * torch.linalg.vector_norm(q, dim=1)
    apart: Tensor = 1 - (p * q).sum(1) / (norms + COSINE_EPSILON)
    return apart.sum()


def _total(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(tuple(terms)).sum()


DISTANCES: Mapping[str, Distance] = {
    "squared": squared,
    "l1": l1,
    "channel_mean": channel_mean,
    "cosine": cosine,
}
