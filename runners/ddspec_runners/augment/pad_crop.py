"""Padding, cropping and mirroring (He et al., CVPR 2016, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from ddspec.spec.augmentation import PadCropSpec
from ddspec_runners.augment.base import Draws, integers, uniforms
from ddspec_runners.augment.geometry import crop, flip


@dataclass(frozen=True, slots=True)
class PadCrop:
    """A window of the old size anywhere in the padded image, then mirrored or not."""

    spec: PadCropSpec

    def draw(self, n: int, size: int, rng: Generator, *, shared: bool) -> Draws:
        """Return `crop` (R, 2), uniform over whole numbers from -padding to padding, and `flip`."""
        unit = uniforms(n, 3, rng, shared=shared)
        padding = self.spec.padding
        draws = {"crop": integers(unit[:, :2], 2 * padding + 1) - padding}
        if self.spec.flip:
            draws["flip"] = unit[:, 2] < 0.5
        return {name: draw.float() for name, draw in draws.items()}

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the windows; exact, with zero where they leave the image."""
        x = crop(x, draws)
        return flip(x, draws) if self.spec.flip else x
