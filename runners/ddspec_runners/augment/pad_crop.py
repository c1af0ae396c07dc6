"""Padding, cropping and mirroring (He et al., CVPR 2016, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ddspec.spec.augmentation import PadCropSpec
from ddspec_runners.augment.base import Draws, integers, uniforms
from ddspec_runners.augment.geometry import crop, flip
from ddspec_runners.functional.placement import channels


@dataclass(frozen=True, slots=True)
class PadCrop:
    """A window of the old size anywhere in the padded image, then mirrored or not."""

    spec: PadCropSpec
    black: tuple[float, ...] | None = None
    """Of each channel, what black is among normalised values; None fills with zero."""

    def draw(self, n: int, size: int, rng: Generator, *, shared: bool) -> Draws:
        """Return `crop` (R, 2), uniform over whole numbers from -padding to padding, and `flip`."""
        unit = uniforms(n, 3, rng, shared=shared)
        padding = self.spec.padding
        draws = {"crop": integers(unit[:, :2], 2 * padding + 1) - padding}
        if self.spec.flip:
            draws["flip"] = unit[:, 2] < 0.5
        return {name: draw.float() for name, draw in draws.items()}

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the windows; exact, with zero or black where they leave the image."""
        window = crop(x, draws)
        if self.black is not None:
            inside = crop(torch.ones_like(x[:, :1]), draws)
            window = torch.where(inside > 0, window, channels(self.black, x))
        return flip(window, draws) if self.spec.flip else window
