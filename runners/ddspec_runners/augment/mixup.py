"""Mixup (Zhang et al., ICLR 2018): each image is a weighted mean of itself and a partner."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ddspec_runners.augment.cutmix import Targets
from ddspec_runners.functional.placement import placed


@dataclass(frozen=True, slots=True)
class MixupDraw:
    """All that is random in one call."""

    kept: float
    """Share of an image that stays its own, by Beta(a, a)."""
    partner: Tensor
    """A permutation of the batch, int64 (N,)."""


def draw(n: int, rng: Generator, alpha: float) -> MixupDraw:
    """Return in which shares `n` images are mixed, one share for the whole batch, and with whom.

    The share is where the distribution function of Beta(alpha, alpha) reaches a uniform number, so
    that what is consumed from `rng` depends on `n` alone.
    """
    # imported here: it costs more than most jobs that need none
    from scipy.special import betaincinv

    unit = torch.rand((), generator=rng, dtype=torch.float64).item()
    return MixupDraw(float(betaincinv(alpha, alpha, unit)), torch.randperm(n, generator=rng))


def apply(x: Tensor, y: Tensor, draw: MixupDraw) -> tuple[Tensor, Targets]:
    """Return mixed images and their labels, for `x` (N, C, H, W) and `y` (N,) or (N, K).

    Neither is changed; differentiable in `x`.
    """
    partner = placed(draw.partner, x.device)
    mixed = draw.kept * x + (1 - draw.kept) * x[partner]
    return mixed, Targets(y, y[placed(partner, y.device)], draw.kept)
