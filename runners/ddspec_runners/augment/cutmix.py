"""CutMix (Yun et al., ICCV 2019): a box of each image comes from a partner, as do their labels.

The box is drawn once for the whole batch and follows IDC's official code (Kim et al., ICML 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ddspec_runners.functional.placement import placed


@dataclass(frozen=True, slots=True)
class CutMixDraw:
    """All that is random in one call."""

    active: bool
    """Whether the batch is mixed at all."""
    lam: float
    """Beta(1, 1), which is uniform on [0, 1): the share that the box aims to leave."""
    box: tuple[int, int, int, int]
    """Top, left, bottom, right; the last row and column do not belong to it."""
    partner: Tensor
    """A permutation of the batch, int64 (N,): whose box each image receives."""
    size: int
    """Side of the images, in pixels."""

    @property
    def kept(self) -> float:
        """Exact share of an image that stays its own; 1 when nothing is mixed."""
        top, left, bottom, right = self.box
        return 1 - (bottom - top) * (right - left) / self.size**2 if self.active else 1.0


@dataclass(frozen=True, slots=True)
class Targets:
    """The labels of a batch after CutMix: each image is of two labels, in known shares."""

    y: Tensor
    """Labels of the images themselves, as they were given: (N,) indices or (N, K) weights."""
    partner_y: Tensor
    """Labels of the images in the boxes."""
    kept: float
    """Weight of `y`, by the exact area of the box; `partner_y` has the rest."""

    def loss(self, logits: Tensor) -> Tensor:
        """Return the mean cross-entropy of `logits` (N, K) with both labels, by their shares.

        It equals the cross-entropy with the soft labels `kept * y + (1 - kept) * partner_y`.
        """
        own = F.cross_entropy(logits, self.y)
        if self.kept == 1:
            return own
        return self.kept * own + (1 - self.kept) * F.cross_entropy(logits, self.partner_y)


def draw(n: int, size: int, rng: Generator, probability: float) -> CutMixDraw:
    """Return whether to mix `n` images of `size` pixels a side, where, and with whom.

    The box has side `int(size * sqrt(1 - lam))`, made even downwards, a centre uniform over the
    pixels, and is cut off at the border. What is consumed from `rng` depends on `n` alone.
    """
    whether, lam, row, column = torch.rand(4, generator=rng, dtype=torch.float64).tolist()
    half = int(size * sqrt(1 - lam)) // 2
    top, bottom = _span(int(row * size), half, size)
    left, right = _span(int(column * size), half, size)
    partner = torch.randperm(n, generator=rng)
    return CutMixDraw(whether < probability, lam, (top, left, bottom, right), partner, size)


def apply(x: Tensor, y: Tensor, draw: CutMixDraw) -> tuple[Tensor, Targets]:
    """Return mixed images and their labels, for `x` (N, C, H, W) and `y` (N,) or (N, K).

    Neither is changed; differentiable in `x`. Without mixing, `x` itself is returned.
    """
    if not draw.active:
        return x, Targets(y, y, 1.0)
    top, left, bottom, right = draw.box
    partner = placed(draw.partner, x.device)
    mixed = x.clone()
    mixed[:, :, top:bottom, left:right] = x[:, :, top:bottom, left:right][partner]
    return mixed, Targets(y, y[placed(partner, y.device)], draw.kept)


def _span(centre: int, half: int, size: int) -> tuple[int, int]:
    return max(centre - half, 0), min(centre + half, size)
