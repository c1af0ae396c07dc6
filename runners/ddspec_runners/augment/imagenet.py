"""IDC's augmentation for training on ImageNet (Kim et al., ICML 2022, official code).

Random resized crop, horizontal flip, colour jitter, PCA lighting (Krizhevsky et al., NIPS 2012).
The jitter is defined on pixel values in [0, 1], without clamping; images here are normalised, so
each formula is carried through `x = (p - mean) / std`, and unit factors change no bit. The official
code shuffles brightness, contrast and saturation for each image; without clamping they commute, as
the weights of grey add up to one, so the order here is fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Generator, Tensor

from ddspec.spec.augmentation import ImageNetAugmentationSpec
from ddspec_runners.augment.base import Draws, lone, uniforms
from ddspec_runners.augment.color import blend
from ddspec_runners.augment.geometry import flip
from ddspec_runners.augment.resample import resample
from ddspec_runners.functional.placement import channels, placed

EIGENVALUES = (0.2175, 0.0188, 0.0045)
EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
"""Of the colours of ImageNet; a column belongs to an eigenvalue."""
LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601: grey as the eye weighs red, green and blue."""
TRIES = 10
"""Boxes drawn for a crop; torchvision also gives up after ten and takes the whole image."""
RATIO = 4 / 3
"""Widest crop; the narrowest is its inverse."""


@dataclass(frozen=True, slots=True)
class ImageNet:
    """Random resized crop, flip, jitter and lighting of images with three channels."""

    spec: ImageNetAugmentationSpec
    mean: tuple[float, ...]
    """Of each channel, for pixel values in [0, 1], as the images were normalised with."""
    std: tuple[float, ...]

    def draw(self, n: int, size: int, rng: Generator, *, shared: bool) -> Draws:
        """Return `box` (R, 4), `flip`, the three jitter factors (R,) and `lighting` (R, 3)."""
        unit = uniforms(n, 2 * TRIES + 6, rng, shared=shared)
        normal = torch.randn(len(unit), 3, generator=rng, dtype=torch.float64)
        boxes, rest = torch.split(unit, [2 * TRIES + 2, 4], 1)
        factors = 1 + (2 * rest[:, 1:] - 1) * self.spec.jitter
        draws = {
            "box": draw_box(boxes, size, self.spec.min_area),
            "flip": rest[:, 0] < 0.5,
            "brightness": factors[:, 0],
            "contrast": factors[:, 1],
            "saturation": factors[:, 2],
            "lighting": normal * self.spec.lighting,
        }
        return {name: draw.float() for name, draw in draws.items()}

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the images after crop, flip, brightness, contrast, saturation and lighting."""
        x = flip(resized_crop(x, draws), draws)
        mean, std = channels(self.mean, x), channels(self.std, x)
        x = blend(x, -mean / std, draws["brightness"])
        grey = _grey(x, mean, std).mean((2, 3), keepdim=True)
        x = blend(x, (grey - mean) / std, draws["contrast"])
        x = blend(x, (_grey(x, mean, std) - mean) / std, draws["saturation"])
        return x + _lighting(x, draws["lighting"]) / std


def resized_crop(x: Tensor, draws: Draws) -> Tensor:
    """Return each image's `box`, (R, 4) of top, left, height, width in whole pixels, enlarged.

    Bilinear by pixel areas (corners not aligned), as images are resized; what lies outside of the
    box plays no part. A single row with the whole image is exactly the identity.
    """
    box = draws["box"]
    size = x.shape[3]
    if lone(box) and box[0].tolist() == [0, 0, size, size]:
        return x
    box = placed(box, x.device, torch.float64)
    axis = torch.arange(size, device=x.device, dtype=torch.float64) + 0.5
    starts, sides = box[:, :2, None], box[:, 2:, None]
    # Clamping to the box's own first and last pixel is what resizing the cut box would do.
    inside = (axis * sides / size - 0.5).clamp(min=0).minimum(sides - 1)
    rows, columns = (2 * (starts + inside) / max(size - 1, 1) - 1).unbind(1)
    grid = torch.stack(
        (columns[:, None, :].expand(-1, size, -1), rows[:, :, None].expand(-1, -1, size)), -1
    )
    return resample(x, grid, "border")


def draw_box(unit: Tensor, size: int, min_area: float) -> Tensor:
    """Return top, left, height and width, (R, 4) in pixels: the first of ten boxes that fits.

    Columns of `unit`, (R, 22): ten areas, ten log-ratios, the corner. Where no box fits, it is the
    whole image, as in torchvision. All ten are always drawn: a late fit consumes no more.
    """
    area, ratio, corner = torch.split(unit, [TRIES, TRIES, 2], 1)
    pixels = (min_area + area * (1 - min_area)) * size**2
    aspect = ((2 * ratio - 1) * log(RATIO)).exp()
    sides = torch.stack(((pixels / aspect).sqrt(), (pixels * aspect).sqrt()), -1).round()
    whole = sides.new_full((len(sides), 1, 2), size)
    sides = torch.cat((sides, whole), 1)
    fits = ((sides > 0) & (sides <= size)).all(-1)
    first = fits.int().argmax(1)
    side = sides[torch.arange(len(sides)), first]
    return torch.cat(((corner * (size - side + 1)).floor(), side), 1)


def _grey(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (channels(LUMA, x) * (x * std + mean)).sum(1, keepdim=True)


def _lighting(x: Tensor, alphas: Tensor) -> Tensor:
    vectors, values = (torch.tensor(t, dtype=x.dtype) for t in (EIGENVECTORS, EIGENVALUES))
    shifts = (alphas.to(x.dtype)[:, None] * values * vectors).sum(2)
    return placed(shifts, x.device)[:, :, None, None]
