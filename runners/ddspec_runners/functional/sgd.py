"""Stochastic gradient descent with momentum, as torch.optim.SGD defines it, on plain tensors."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache

import torch
from torch import Tensor

from ddspec.spec.optimizer import SgdSpec, StepDecaySpec


def sgd_step(
    params: Mapping[str, Tensor],
    momentum: Mapping[str, Tensor],
    grads: Mapping[str, Tensor],
    spec: SgdSpec,
    learning_rate: float,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return parameters and momentum after one step; differentiable, nothing is mutated.

    The gradient gets `weight_decay` times the parameter added, the momentum becomes `momentum`
    times itself plus that, the parameter loses `learning_rate` times the momentum. `grads` may have
    more names than `params`, never fewer. `learning_rate` is the one of this step; the base in
    `spec` is not read. Bit-equal to torch.optim.SGD when the momentum starts at zero.
    """
    moved, buffers = {}, {}
    for name, p in params.items():
        grad = grads[name].add(p, alpha=spec.weight_decay) if spec.weight_decay else grads[name]
        buffers[name] = momentum[name].mul(spec.momentum).add(grad)
        moved[name] = p.add(buffers[name], alpha=-learning_rate)
    return moved, buffers


def sgd_step_in_place(
    params: Mapping[str, Tensor],
    momentum: Mapping[str, Tensor],
    grads: Mapping[str, Tensor],
    spec: SgdSpec,
    learning_rate: float,
) -> None:
    """Take the step of `sgd_step`, bit-equal, in tensors of `params` and `momentum` that one owns.

    For training loops, whose every tensor would otherwise be allocated anew at each step.
    """
    points, buffers = list(params.values()), [momentum[name] for name in params]
    steps = [grads[name] for name in params]
    with torch.no_grad():
        if spec.weight_decay:
            steps = list(torch._foreach_add(steps, points, alpha=spec.weight_decay))
        torch._foreach_mul_(buffers, spec.momentum)
        torch._foreach_add_(buffers, steps)
        torch._foreach_add_(points, buffers, alpha=-learning_rate)


def learning_rate_at(step: int, steps: int, base: float, decay: StepDecaySpec | None) -> float:
    """Return the learning rate of `step`, counted from 0, out of `steps`.

    It is `base` times `factor` for every fraction f of `decay.at` with step >= floor(f * steps):
    of 1,000 steps and f = 2/3, step 666 is the first one at the lower rate. Steps may as well be
    epochs: a protocol by epochs, whose rate changes between epochs as in IDC's code, gives epoch
    and epochs. A fraction is read as the nearest ratio with a denominator up to a million, so that
    0.29 of 100 is 29, though the nearest binary number lies below.
    """
    rate = base
    for fraction in decay.at if decay else ():
        if step >= _first_step(fraction, steps):
            rate *= decay.factor if decay else 1.0
    return rate


@cache
def _first_step(fraction: float, steps: int) -> int:
    """Return the step at which a fraction of training is over; kept, as every step asks for it."""
    return int(Fraction(fraction).limit_denominator(10**6) * steps)
