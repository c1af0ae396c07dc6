"""Images learned as they are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ddspec_runners.parameterization.space import Space


@dataclass(frozen=True, slots=True)
class Pixels:
    """One view an image: itself."""

    space: Space

    def count(self, images: int) -> int:
        """Return the number of images itself."""
        return images

    def decode(self, images: Tensor) -> Tensor:
        """Return the images themselves."""
        return images

    def labels(self, labels: Tensor) -> Tensor:
        """Return the labels themselves."""
        return labels

    def of_image(self, image: int, images: int) -> Pixels:
        """Return itself: all images are decoded alike."""
        return self

    def normalise(self, images: Tensor) -> Tensor:
        """Return images of the learned space, (..., C, H, W), as networks are fed."""
        return self.space.normalise(images)

    def clamp(self, images: Tensor) -> Tensor:
        """Return images of the learned space limited to what [0, 1] is in that space."""
        return self.space.clamp(images)
