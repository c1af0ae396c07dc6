"""How labels and the rate of a student are learned: SGD with momentum on small tensors."""

from __future__ import annotations

import math

from torch import Tensor

from ddspec.spec.method import LearnedLabelsSpec, LearnedRateSpec

SURE = 0.99
"""Probability of an image's own class before labels are learned."""


def rate_step(
    spec: LearnedRateSpec, rate: Tensor, velocity: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor]:
    """Return rate and velocity after one step; all are float64 scalars.

    `linear`: v = momentum * v + dD/drate, rate = rate - lr * v, as in MTT's code. `log` does the
    same to log(rate), whose gradient is rate * dD/drate; the rate is multiplied by exp(-lr * v),
    which keeps it positive.
    """
    slope = gradient * rate if spec.law == "log" else gradient
    velocity = velocity * spec.momentum + slope
    if spec.law == "log":
        return rate * (velocity * -spec.learning_rate).exp(), velocity
    return rate - velocity * spec.learning_rate, velocity


def label_step(
    spec: LearnedLabelsSpec, logits: Tensor, velocity: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor]:
    """Return logits and velocity after one step, any shape: v = momentum * v + g."""
    velocity = velocity * spec.momentum + gradient
    return logits - velocity * spec.learning_rate, velocity


def first_logits(hard: Tensor) -> Tensor:
    """Return logits (..., K) whose softmax gives 0.99 to the class of `hard`, one-hot (..., K).

    The other classes share the rest. A softmax is never hard, and the nearer it is, the smaller its
    slope: at 0.99 a label is within a hundredth of hard and its logit still moves. Learned labels
    as a softmax of free logits are those of Guo et al. ("Towards Lossless Dataset Distillation via
    Difficulty-Aligned Trajectory Matching", ICLR 2024, section 3.3), who start them from a trained
    network's; ours need none.
    """
    others = hard.shape[-1] - 1
    return hard * math.log(SURE * others / (1 - SURE)) if others else hard
