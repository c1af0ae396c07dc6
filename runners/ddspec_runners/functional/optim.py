"""Optimisers of networks on plain tensors, as torch.optim defines them.

What an optimiser remembers lies in `Slots`, tensors by name, so that a checkpoint can hold it; how
many steps were taken is the loop's to know. All operations are elementwise: stacked parameters of
several networks, each with its own row, move as the networks would alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

import torch
from torch import Tensor

from ddspec.spec.optimizer import AdamSpec, AdamWSpec, OptimizerSpec, SgdSpec
from ddspec_runners.functional.params import zeros
from ddspec_runners.functional.sgd import sgd_step_in_place

Slots: TypeAlias = dict[str, dict[str, Tensor]]
"""By slot (`momentum`; `first` and `second`) a tensor for each parameter."""

EPSILON = 1e-8
"""Added to the root of the second moment (torch.optim.Adam)."""


def slots(optimizer: OptimizerSpec, params: Mapping[str, Tensor]) -> Slots:
    """Return what an optimiser remembers before its first step."""
    names = ("momentum",) if isinstance(optimizer, SgdSpec) else ("first", "second")
    return {name: zeros(params) for name in names}


def step_in_place(
    params: Mapping[str, Tensor],
    memory: Slots,
    grads: Mapping[str, Tensor],
    optimizer: OptimizerSpec,
    learning_rate: float,
    step: int,
    *,
    members: bool = False,
) -> None:
    """Take a step, counted from 0, in tensors of `params` and `memory` that the caller owns.

    `learning_rate` is the one of this step; the base in `optimizer` is not read. `grads` may have
    more names than `params`, never fewer. With `members`, every tensor has an axis of networks in
    front, which is not counted where an optimiser asks for dimensions.
    """
    if not params:
        return  # foreach refuses to work on no tensors at all
    match optimizer:
        case SgdSpec():
            sgd_step_in_place(params, memory["momentum"], grads, optimizer, learning_rate)
        case AdamSpec() | AdamWSpec():
            with torch.no_grad():
                _adam(params, memory, grads, optimizer, learning_rate, step, int(members))
        case _:
            assert_never(optimizer)


def _adam(
    params: Mapping[str, Tensor],
    memory: Slots,
    grads: Mapping[str, Tensor],
    spec: AdamSpec | AdamWSpec,
    learning_rate: float,
    step: int,
    axes: int,
) -> None:
    """Take a step of Adam; bias is corrected as after `step` + 1 of them."""
    points, slopes = list(params.values()), [grads[name] for name in params]
    first, second = ([memory[slot][name] for name in params] for slot in ("first", "second"))
    if isinstance(spec, AdamWSpec):
        shrunk = _decayed(spec, points, axes) if spec.weight_decay else []
        if shrunk:
            torch._foreach_mul_(shrunk, 1 - learning_rate * spec.weight_decay)
    elif spec.weight_decay:
        slopes = list(torch._foreach_add(slopes, points, alpha=spec.weight_decay))
    one, two = spec.betas
    torch._foreach_lerp_(first, slopes, 1 - one)
    torch._foreach_mul_(second, two)
    torch._foreach_addcmul_(second, slopes, slopes, 1 - two)
    roots = torch._foreach_sqrt(second)
    torch._foreach_div_(roots, (1 - two ** (step + 1)) ** 0.5)
    torch._foreach_add_(roots, EPSILON)
    torch._foreach_addcdiv_(points, first, roots, -learning_rate / (1 - one ** (step + 1)))


def _decayed(spec: AdamWSpec, points: list[Tensor], axes: int) -> list[Tensor]:
    """Return the tensors whose values decay."""
    match spec.decayed:
        case "all":
            return points
        case "matrices":
            return [point for point in points if point.ndim - axes >= 2]
        case _:
            assert_never(spec.decayed)
