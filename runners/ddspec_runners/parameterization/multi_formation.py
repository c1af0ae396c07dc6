"""Multi-formation: several low-resolution patches in one image.

Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022,
section 4.2 ("uniform" formation, decoded with one factor).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.parameterization.space import Space

GREY = 0.5
"""Pixel value that fills a grid which does not divide the image, as in IDC's code."""


@dataclass(frozen=True, slots=True)
class MultiFormation:
    """factor x factor patches an image, each upsampled to the size of the image when used."""

    factor: int
    space: Space

    @property
    def views(self) -> int:
        """Return the number of patches of one image."""
        return self.factor**2

    def decode(self, images: Tensor) -> Tensor:
        """Return every patch, upsampled bilinearly (corners not aligned), in the learned space.

        (..., n, C, H, W) becomes (..., factor^2 * n, C, H, W), cells in reading order, the n
        images of a cell together. Where `factor` does not divide the side, grey is added on the
        right and at the bottom first, and patches have side ceil(side / factor).
        """
        if self.factor == 1:
            return images
        *lead, n, channels, height, width = images.shape
        padded = self._pad(images.reshape(-1, channels, height, width))
        side = (padded.shape[-2] // self.factor, padded.shape[-1] // self.factor)
        patches = padded.reshape(-1, n, channels, self.factor, side[0], self.factor, side[1])
        cells = patches.permute(0, 3, 5, 1, 2, 4, 6).reshape(-1, channels, *side)
        full = F.interpolate(cells, size=(height, width), mode="bilinear", align_corners=False)
        return full.reshape(*lead, self.views * n, channels, height, width)

    def normalise(self, images: Tensor) -> Tensor:
        """Return images of the learned space, (..., C, H, W), as networks are fed."""
        return self.space.normalise(images)

    def clamp(self, images: Tensor) -> Tensor:
        """Return images of the learned space limited to what [0, 1] is in that space."""
        return self.space.clamp(images)

    def _pad(self, images: Tensor) -> Tensor:
        """Return images (N, C, H, W) with grey on the right and at the bottom up to the grid."""
        height, width = images.shape[-2:]
        down, right = -height % self.factor, -width % self.factor
        if not down and not right:
            return images
        grey = self.space.level(GREY, images)
        wide = torch.cat((images, grey.expand(len(images), -1, height, right)), dim=-1)
        return torch.cat((wide, grey.expand(len(images), -1, down, width + right)), dim=-2)
