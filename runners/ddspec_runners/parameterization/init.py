"""Where synthetic images start; shared by `distill` and by the `init` baseline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, assert_never

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ddspec.spec.method import InitSpec, MultiFormationSpec, ParameterizationSpec
from ddspec.wire.schedule import Seed
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import BadJob
from ddspec_runners.parameterization.space import Space
from ddspec_runners.rng import generator

NOISE_DEVIATION = 0.25
"""Of pixel noise around 0.5, clamped to [0, 1]: IDC's code."""


class RealImages(Protocol):
    """What is read of a prepared split."""

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """Pixels, uint8 (N, C, H, W), ordered by class."""
        ...

    @property
    def mean(self) -> tuple[float, ...]:
        """Per-channel mean of the training split, in [0, 1]."""
        ...

    @property
    def std(self) -> tuple[float, ...]:
        """Per-channel deviation of the training split, in [0, 1]."""
        ...

    @property
    def whitening(self) -> Whitening | None:
        """How the images are whitened, where the learned ones are."""
        ...

    def of_class(self, label: int) -> slice:
        """Return where the images of a class lie."""
        ...


def initial_images(
    parameterization: ParameterizationSpec,
    init: InitSpec,
    images_per_class: int,
    split: RealImages,
    seed: Seed,
    classes: Iterable[int],
    *,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return the synthetic images before learning, (K', n, C, H, W), in the learned space.

    `classes` are global class indices; class c draws from (*seed, "init", c) alone, so any subset
    of classes gets the images it has in the whole. `mix` takes factor^2 * n real images of a class
    and fills grid cell k with images k * n .. k * n + n - 1, resized to the cell by nearest
    neighbours; where the factor does not divide the side, the first cells get the extra pixels
    (Kim et al., ICML 2022, official code). Raises `BadJob` where a class has too few images.
    """
    space = Space.of(parameterization, split.mean, split.std, split.whitening)
    factor = parameterization.factor if isinstance(parameterization, MultiFormationSpec) else 1
    start = _Start(init, images_per_class, factor, split, dtype)
    pixels = [start.pixels(c, generator(*seed, "init", c), space) for c in classes]
    return torch.stack(pixels)


@dataclass(frozen=True, slots=True)
class _Start:
    """One class at a time: its images of the learned space before learning."""

    init: InitSpec
    n: int
    factor: int
    split: RealImages
    dtype: torch.dtype

    def pixels(self, label: int, rng: Generator, space: Space) -> Tensor:
        """Return (n, C, H, W) in `space`."""
        match self.init.kind:
            case "real":
                return space.from_pixel(self.real(label, self.n, rng))
            case "mix":
                return space.from_pixel(
                    mixed(self.real(label, self.n * self.factor**2, rng), self.factor)
                )
            case "noise":
                return self.noise(rng, space)
            case _:
                assert_never(self.init.kind)

    def real(self, label: int, count: int, rng: Generator) -> Tensor:
        """Return `count` real images of a class, (count, C, H, W) in [0, 1]."""
        where = self.split.of_class(label)
        available = where.stop - where.start
        if available < count:
            raise BadJob(
                f"init `{self.init.kind}` needs {count} real images of class {label}, "
                f"which has {available}: take fewer images per class, or `noise`"
            )
        order = (
            torch.arange(count)
            if self.init.draw == "first"
            else torch.randperm(available, generator=rng)[:count]
        )
        chosen = torch.from_numpy(self.split.images[where][order.numpy()])
        return chosen.to(self.dtype) / 255

    def noise(self, rng: Generator, space: Space) -> Tensor:
        """Return Gaussian noise: clamped around grey in pixels (IDC), else standard normal (DC)."""
        shape = (self.n, *self.split.images.shape[1:])
        normal = torch.randn(shape, generator=rng).to(self.dtype)
        if space.kind != "pixel":
            return normal
        return (0.5 + NOISE_DEVIATION * normal).clamp(0, 1)


def mixed(images: Tensor, factor: int) -> Tensor:
    """Return (n, C, H, W) whose grid cell k holds block k of (factor^2 * n, C, H, W)."""
    blocks = images.chunk(factor**2)
    heights, widths = (cell_sides(side, factor) for side in images.shape[-2:])
    rows = [
        torch.cat(
            [
                F.interpolate(blocks[i * factor + j], size=(height, width))
                for j, width in enumerate(widths)
            ],
            dim=-1,
        )
        for i, height in enumerate(heights)
    ]
    return torch.cat(rows, dim=-2)


def cell_sides(side: int, factor: int) -> tuple[int, ...]:
    """Return the sides of `factor` cells that fill `side`, the first ones longer by the rest."""
    return tuple(side // factor + (i < side % factor) for i in range(factor))
