"""Multi-formation: several low-resolution patches in one image.

Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022,
section 4.2 ("uniform" and "multi-scale" formation, and the bounded one of the official code).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec.spec.learned import MultiFormationSpec, views_of
from ddspec_runners.parameterization.space import Space

GREY = 0.5
"""Pixel value that fills a grid which does not divide the image, as in IDC's code."""


@dataclass(frozen=True, slots=True)
class MultiFormation:
    """factor x factor patches an image, each upsampled to the size of the image when used."""

    spec: MultiFormationSpec
    """Which images are cut by which factors."""
    space: Space

    def count(self, images: int) -> int:
        """Return the number of patches of a class's images."""
        return views_of(self.spec, images)

    def decode(self, images: Tensor) -> Tensor:
        """Return every patch, upsampled bilinearly (corners not aligned), in the learned space.

        (..., n, C, H, W) becomes (..., count(n), C, H, W): factors in the order of the formation,
        cells in reading order, the images of a cell together. Where a factor does not divide the
        side, grey is added on the right and at the bottom first, and patches have side
        ceil(side / factor).
        """
        formation = self.spec.formation(images.shape[-4])
        parts = [
            self._cut(images[..., first:stop, :, :, :], factor) for factor, first, stop in formation
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-4)

    def labels(self, labels: Tensor) -> Tensor:
        """Return each image's label for all of its patches, in the order of `decode`."""
        formation = self.spec.formation(labels.shape[-1])
        lead = [1] * (labels.ndim - 1)
        return torch.cat(
            [labels[..., first:stop].repeat(*lead, factor**2) for factor, first, stop in formation],
            dim=-1,
        )

    def of_image(self, image: int, images: int) -> MultiFormation:
        """Return the formation that cuts an image by itself as that of all `images` cuts it.

        The first images of a `bound` formation are cut by other factors than the last.
        """
        formation = self.spec.formation(images)
        factors = [factor for factor, first, stop in formation if first <= image < stop]
        if len(factors) > 1:
            return self  # by all of them, as every image is
        spec = self.spec.model_copy(update={"factor": factors[0], "decode": None})
        return replace(self, spec=spec)

    def normalise(self, images: Tensor) -> Tensor:
        """Return images of the learned space, (..., C, H, W), as networks are fed."""
        return self.space.normalise(images)

    def clamp(self, images: Tensor) -> Tensor:
        """Return images of the learned space limited to what [0, 1] is in that space."""
        return self.space.clamp(images)

    def _cut(self, images: Tensor, factor: int) -> Tensor:
        """Return the patches of (..., n, C, H, W) by one factor, (..., factor^2 * n, C, H, W)."""
        if factor == 1:
            return images
        *lead, n, channels, height, width = images.shape
        padded = self._pad(images.reshape(-1, channels, height, width), factor)
        side = (padded.shape[-2] // factor, padded.shape[-1] // factor)
        patches = padded.reshape(-1, n, channels, factor, side[0], factor, side[1])
        cells = patches.permute(0, 3, 5, 1, 2, 4, 6).reshape(-1, channels, *side)
        full = F.interpolate(cells, size=(height, width), mode="bilinear", align_corners=False)
        return full.reshape(*lead, factor**2 * n, channels, height, width)

    def _pad(self, images: Tensor, factor: int) -> Tensor:
        """Return images (N, C, H, W) with grey on the right and at the bottom up to the grid."""
        height, width = images.shape[-2:]
        down, right = -height % factor, -width % factor
        if not down and not right:
            return images
        grey = self.space.level(GREY, images)
        wide = torch.cat((images, grey.expand(len(images), -1, height, right)), dim=-1)
        return torch.cat((wide, grey.expand(len(images), -1, down, width + right)), dim=-2)
