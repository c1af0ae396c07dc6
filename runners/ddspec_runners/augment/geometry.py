"""Flip, crop, scale, rotate and cutout: linear maps of the pixels, with zero as the fill.

On normalised images zero is the mean colour of the training set.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.augment.base import Draws, lone, per_image
from ddspec_runners.augment.resample import resample
from ddspec_runners.functional.placement import placed


def flip(x: Tensor, draws: Draws) -> Tensor:
    """Mirror left and right the images whose `flip`, (R,), is one; exact."""
    chosen = draws["flip"]
    if lone(chosen):
        return x.flip(3) if chosen.item() else x
    return torch.where(per_image(chosen, x) != 0, x.flip(3), x)


def crop(x: Tensor, draws: Draws) -> Tensor:
    """Show at each pixel what lies `crop`, (R, 2), whole pixels further down and right; exact.

    Equal to `affine` with that translation up to the rounding of its grid.
    """
    offsets = draws["crop"]
    if lone(offsets):
        down, right = (int(offset) for offset in offsets[0].tolist())
        return F.pad(x, (-right, right, -down, down))
    return _shift(x, placed(offsets, x.device, torch.int64))


def scale(x: Tensor, draws: Draws) -> Tensor:
    """Stretch both axes about the centre: a factor of `scale`, (R, 2) of (x, y), above 1 shrinks.

    Bilinear, aligned corners; a single row of ones is exactly the identity.
    """
    factors = draws["scale"]
    if lone(factors) and factors.eq(1).all():
        return x
    linear = torch.diag_embed(placed(factors, x.device, torch.float64))
    return affine(x, linear, torch.zeros_like(linear[:, 0]))


def rotate(x: Tensor, draws: Draws) -> Tensor:
    """Turn about the centre by `angle`, (R,) in radians, anticlockwise where it is positive.

    Bilinear, aligned corners; a single row of zero is exactly the identity.
    """
    angle = draws["angle"]
    if lone(angle) and angle.item() == 0:
        return x
    angle = placed(angle, x.device, torch.float64)
    entries = (angle.cos(), -angle.sin(), angle.sin(), angle.cos())
    linear = torch.stack(entries, -1).reshape(-1, 2, 2)
    return affine(x, linear, torch.zeros_like(linear[:, 0]))


def cutout(x: Tensor, draws: Draws) -> Tensor:
    """Set a box of each image to zero: `cutout`, (R, 4) of top, bottom, left, right; exact.

    The box holds its first row and column and not its last.
    """
    box = placed(draws["cutout"], x.device)[:, :, None]
    rows = torch.arange(x.shape[2], device=x.device)
    columns = torch.arange(x.shape[3], device=x.device)
    inside_rows = (rows >= box[:, 0]) & (rows < box[:, 1])
    inside_columns = (columns >= box[:, 2]) & (columns < box[:, 3])
    erased = inside_rows[:, None, :, None] & inside_columns[:, None, None, :]
    return torch.where(erased, 0, x)


def affine(x: Tensor, linear: Tensor, translation: Tensor) -> Tensor:
    """Return `x` seen through a map from output to input pixels, both counted from the centre.

    `linear` is (R, 2, 2) and `translation` (R, 2), over (x, y) in pixels, float64. The grid is
    built here, because `affine_grid` cannot be mapped over a batch of batches, and elementwise, so
    that a row rounds alike alone and among others.
    """
    # An image of one pixel has no extent: any positive unit will do.
    half = max((x.shape[3] - 1) / 2, 0.5)
    axis = torch.arange(x.shape[3], device=x.device, dtype=torch.float64) - (x.shape[3] - 1) / 2
    of_x, of_y = (column[:, None, None] for column in linear.unbind(-1))
    grid = of_x * axis[:, None] + of_y * axis[:, None, None] + translation[:, None, None]
    return resample(x, grid / half, "zeros")


def _shift(x: Tensor, offsets: Tensor) -> Tensor:
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device) + offsets[:, :1]
    columns = torch.arange(width, device=x.device) + offsets[:, 1:]
    seen = _within(rows, height)[:, :, None] & _within(columns, width)[:, None, :]
    source = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    index = source.flatten(1)[:, None].expand(x.shape[0], x.shape[1], -1)
    return torch.where(seen[:, None], x.flatten(2).gather(2, index).view_as(x), 0)


def _within(positions: Tensor, size: int) -> Tensor:
    return (positions >= 0) & (positions < size)
