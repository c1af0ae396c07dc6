"""Images learned as they are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ddspec_runners.parameterization.space import Space


@dataclass(frozen=True, slots=True)
class Pixels:
    """One view an image: itself."""

    space: Space

    @property
    def views(self) -> int:
        """Return 1."""
        return 1

    def decode(self, images: Tensor) -> Tensor:
        """Return the images themselves."""
        return images

    def normalise(self, images: Tensor) -> Tensor:
        """Return images of the learned space, (..., C, H, W), as networks are fed."""
        return self.space.normalise(images)

    def clamp(self, images: Tensor) -> Tensor:
        """Return images of the learned space limited to what [0, 1] is in that space."""
        return self.space.clamp(images)
