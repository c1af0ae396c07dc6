"""Dictionaries of parameters: casts, zeros, and which tensors a rule speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

Selection = Literal["kernels", "matrices", "all"]


def cast(
    params: Mapping[str, Tensor],
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> dict[str, Tensor]:
    """Return the tensors in another precision, on another device, or both; copies where needed."""
    return {name: p.to(device=device, dtype=dtype or p.dtype) for name, p in params.items()}


def zeros(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return zeros of the same names, shapes, types and devices: momentum before the first step."""
    return {name: torch.zeros_like(p) for name, p in params.items()}


def copied(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies outside of any graph, for a loop that will move them in place."""
    return {name: p.detach().clone() for name, p in params.items()}


def selected(params: Mapping[str, Tensor], selection: Selection) -> tuple[str, ...]:
    """Return the names of a selection, in order.

    `kernels` are convolutions (4 dimensions), `matrices` all tensors of 2 or more dimensions, the
    classifier and the scale and shift of layer norm among them.
    """
    match selection:
        case "kernels":
            return tuple(name for name, p in params.items() if p.ndim == 4)
        case "matrices":
            return tuple(name for name, p in params.items() if p.ndim >= 2)
        case "all":
            return tuple(params)
