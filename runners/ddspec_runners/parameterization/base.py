"""The seam of parameterisations: how the learned tensor becomes images that networks see."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Parameterization(Protocol):
    """A way to read images out of the learned tensor; pure and differentiable in it."""

    def count(self, images: int) -> int:
        """Return how many images are decoded of so many learned ones of a class."""
        ...

    def decode(self, images: Tensor) -> Tensor:
        """Return the decoded images, still in the learned space.

        (..., n, C, H, W) becomes (..., count(n), C, H, W). Of n images cut alike, view `cell * n +
        i` is cell `cell` of image `i`.
        """
        ...

    def labels(self, labels: Tensor) -> Tensor:
        """Return the label of each decoded image: (..., n) becomes (..., count(n))."""
        ...

    def of_image(self, image: int, images: int) -> Parameterization:
        """Return how one of a class's `images` is decoded, for where it is decoded by itself."""
        ...

    def normalise(self, images: Tensor) -> Tensor:
        """Return images of the learned space, (..., C, H, W), as networks are fed."""
        ...

    def clamp(self, images: Tensor) -> Tensor:
        """Return images of the learned space limited to what [0, 1] is in that space."""
        ...
