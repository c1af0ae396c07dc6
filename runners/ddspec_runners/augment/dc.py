"""The augmentation with which DC evaluates on MNIST (Zhao et al., ICLR 2021; official code).

It is no differentiable siamese augmentation: each image gets an operation of its own, pixels are
resized by nearest neighbours or turned by cubic splines, and gaps are filled by the mean of the
batch. Application stays linear in the images, so derivatives exist nonetheless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ddspec.spec.augmentation import DcAugmentationSpec, DcOperation
from ddspec_runners.augment.base import Draws, integers, per_image, uniforms
from ddspec_runners.augment.spline import turned
from ddspec_runners.functional.placement import placed


@dataclass(frozen=True, slots=True)
class Dc:
    """One of the listed operations an image, chosen uniformly.

    The fill is the mean of all images of a call, so unlike those of other policies the results of
    concatenated batches are not those of each by itself.
    """

    spec: DcAugmentationSpec

    def draw(self, n: int, size: int, rng: Generator, *, shared: bool) -> Draws:
        """Return `choice` (R,), `crop` (R, 2), `sides` (R, 2) and `degrees` (R,), whole numbers."""
        spec = self.spec
        unit = uniforms(n, 6, rng, shared=shared)
        factors = 1 - spec.scale + 2 * spec.scale * unit[:, 3:5]
        draws = {
            "choice": integers(unit[:, 0], len(spec.operations)),
            "crop": integers(unit[:, 1:3], 2 * spec.crop) - spec.crop,
            "sides": (factors * size).floor().clamp(min=1),
            "degrees": integers(unit[:, 5], 2 * spec.rotate) - spec.rotate,
        }
        return {name: draw.float() for name, draw in draws.items()}

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Return each image after its operation."""
        chosen, out = per_image(draws["choice"], x), x
        for index in sorted({int(value) for value in draws["choice"].tolist()}):
            moved = OPERATIONS[self.spec.operations[index]](x, draws)
            out = torch.where(chosen == index, moved, out)
        return out


def crop(x: Tensor, draws: Draws) -> Tensor:
    """Show what lies `crop` (R, 2) pixels further down and right; beyond is the channel's mean."""
    offsets = placed(draws["crop"], x.device, torch.int64)
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device) + offsets[:, :1]
    columns = torch.arange(width, device=x.device) + offsets[:, 1:]
    return _picked(x, rows, columns, x.mean((0, 2, 3), keepdim=True))


def scale(x: Tensor, draws: Draws) -> Tensor:
    """Resize to `sides` (R, 2) of (height, width) by nearest pixels, centred, with zero around.

    Larger images are cut to the old size, and halves of pixels go to the bottom and right.
    """
    sides = placed(draws["sides"], x.device, torch.int64)
    size = x.shape[3]
    # Both axes lie in one square canvas, as large as the largest of all sides.
    canvas = sides.amax(1).clamp(min=size)
    rows, columns = (
        _nearest(size, side, (canvas - size) // 2 - (canvas - side) // 2)
        for side in sides.unbind(1)
    )
    return _picked(x, rows, columns, torch.zeros_like(x[:1, :, :1, :1]))


def rotate(x: Tensor, draws: Draws) -> Tensor:
    """Turn by `degrees` (R,) as scipy's `rotate` does, cut to the old size; gaps are the mean."""
    return turned(x, draws["degrees"], x.mean())


OPERATIONS: Mapping[DcOperation, Callable[[Tensor, Draws], Tensor]] = {
    "crop": crop,
    "scale": scale,
    "rotate": rotate,
}


def _nearest(size: int, side: Tensor, first: Tensor) -> Tensor:
    """Return for each of `size` pixels from `first` (R,) which source pixel `side` (R,) shows.

    Pixels beyond the resized image are told by -1. In float32, because the framework's nearest
    neighbours round so.
    """
    at = torch.arange(size, device=side.device) + first[:, None]
    ratio = size / side.float()
    source = (at.float() * ratio[:, None]).floor().long().clamp(max=size - 1)
    return torch.where((at >= 0) & (at < side[:, None]), source, -1)


def _picked(x: Tensor, rows: Tensor, columns: Tensor, fill: Tensor) -> Tensor:
    """Return x[rows, columns] for (R, H) and (R, W), with `fill` where either is outside."""
    height, width = x.shape[2:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None, :
    ]
    source = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    index = source.flatten(1)[:, None].expand(x.shape[0], x.shape[1], -1)
    return torch.where(inside[:, None], x.flatten(2).gather(2, index).view(x.shape), fill)
