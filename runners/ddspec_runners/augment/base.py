"""The seam of augmentation: all randomness is drawn first, application is pure.

Images are square, normalised and shaped (N, C, H, W), as in `ddspec_runners.nets.base`. R is the
number of rows of a draw: 1 when one row serves the whole batch, else N.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import torch
from torch import Generator, Tensor

from ddspec_runners.functional.placement import placed

Draws: TypeAlias = Mapping[str, Tensor]
"""Parameter name to float32 CPU tensor of leading dimension R; whole numbers are held exactly.

Rows are independent, so the draws of several batches may be concatenated row by row and applied to
the concatenated batches, with the result of applying each to its own.
"""


class Policy(Protocol):
    """Which operations act on a batch; see `ddspec.spec.augmentation`."""

    def draw(self, n: int, size: int, rng: Generator, *, shared: bool) -> Draws:
        """Return all random numbers for `n` images of `size` pixels a side, from `rng` alone.

        With `shared` there is one row for the whole batch, and drawing it does not depend on `n`:
        the same row may be applied to any number of batches (siamese augmentation). How much
        randomness is consumed depends on the number of rows and on nothing that is drawn.
        """
        ...

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Return augmented images of the same shape, dtype and device; `x` is left as it is.

        Differentiable in `x` any number of times, and mappable by `torch.func.vmap` over `x` (not
        over `draws`, whose values choose the path: concatenate rows instead).
        """
        ...


def uniforms(n: int, columns: int, rng: Generator, *, shared: bool) -> Tensor:
    """Return numbers in [0, 1), float64 (R, columns); the only source of a draw's uniforms.

    Float64 leaves 53 bits, so that flooring a multiple is unbiased for every practical range.
    """
    return torch.rand(1 if shared else n, columns, generator=rng, dtype=torch.float64)


def integers(unit: Tensor, count: int) -> Tensor:
    """Return whole numbers 0 .. count-1, one for each uniform number, as floats."""
    return (unit * count).floor()


def per_image(draw: Tensor, x: Tensor) -> Tensor:
    """Return a (R,) draw as (R, 1, 1, 1), with the device and dtype of `x`."""
    return placed(draw, x.device, x.dtype)[:, None, None, None]


def lone(draw: Tensor) -> bool:
    """Return whether a draw is one row whose value may steer Python without a device stalling."""
    return len(draw) == 1 and draw.device.type == "cpu"
