"""Rotation by cubic splines, as `scipy.ndimage.rotate` does it, on any device and differentiable.

Unser, "Splines: a perfect fit for signal and image processing", 1999, for the interpolation; the
borders (mirrored about the outermost pixels, constant beyond them) and the enlarged canvas are
those of scipy.
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, radians, sin

import torch
from torch import Tensor

from ddspec_runners.functional.placement import placed


def turned(x: Tensor, degrees: Tensor, fill: Tensor) -> Tensor:
    """Return images (N, C, S, S) turned by `degrees`, (R,), with the scalar `fill` in the gaps.

    scipy enlarges the canvas until the whole image fits; of that the middle is kept, half a pixel
    up and left of it where the difference is odd.
    """
    size = x.shape[3]
    precise = x.to(torch.promote_types(x.dtype, torch.float32))
    places = [_places(size, float(value)) for value in degrees.tolist()]
    index, weight, inside = (
        placed(torch.stack(table), x.device) for table in zip(*places, strict=True)
    )
    mixer = placed(_coefficients(size), x.device, precise.dtype)
    spline = (mixer @ precise @ mixer.T).flatten(2)
    out = torch.zeros_like(precise).flatten(2)
    for tap in range(index.shape[1]):
        where = index[:, tap, None].expand(*spline.shape[:2], -1)
        out = out + weight[:, tap, None].to(precise) * spline.gather(2, where)
    return torch.where(inside[:, None], out, fill.to(precise)).view(x.shape).to(x.dtype)


@lru_cache(maxsize=8)
def _coefficients(size: int) -> Tensor:
    """Return the matrix from the pixels of a line to its spline's coefficients, float64 (S, S)."""
    if size == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    blur = torch.diag(torch.full((size,), 4.0, dtype=torch.float64))
    sides = torch.ones(size - 1, dtype=torch.float64)
    blur += torch.diag(sides, 1) + torch.diag(sides, -1)
    blur[0, 1] = blur[-1, -2] = 2.0  # the neighbour beyond the border is the mirrored one
    inverse: Tensor = torch.linalg.inv(blur / 6)
    return inverse


@lru_cache(maxsize=512)
def _places(size: int, degrees: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return of each pixel the 16 coefficients, (16, S*S), their weights, and whether it is inside.

    The last is (S*S,): pixels outside of the image are filled.
    """
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    canvas = int(size * (abs(cosine) + abs(sine)) + 0.5)
    middle = (size - 1) / 2
    at = torch.arange(size, dtype=torch.float64) + (canvas - size) // 2 - (canvas - 1) / 2
    rows = cosine * at[:, None] + sine * at[None, :] + middle
    columns = -sine * at[:, None] + cosine * at[None, :] + middle
    inside = (rows >= 0) & (rows <= size - 1) & (columns >= 0) & (columns <= size - 1)
    row_taps, row_weights = _taps(rows.flatten(), size)
    column_taps, column_weights = _taps(columns.flatten(), size)
    index = row_taps[:, None] * size + column_taps[None]
    weight = row_weights[:, None] * column_weights[None]
    return index.flatten(0, 1), weight.flatten(0, 1), inside.flatten()


def _taps(position: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the four coefficients about each position of a line and their weights, (4, P)."""
    first = position.floor()
    t = position - first
    weights = torch.stack(
        ((1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)
    )
    taps = first.long() + torch.arange(-1, 3)[:, None]
    period = max(2 * size - 2, 1)
    taps = taps.remainder(period)
    return torch.where(taps < size, taps, period - taps), weights / 6
