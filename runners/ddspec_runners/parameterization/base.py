"""The seam of parameterisations: how the learned tensor becomes images that networks see."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Parameterization(Protocol):
    """A way to read images out of the learned tensor; pure and differentiable in it."""

    @property
    def views(self) -> int:
        """How many images are decoded from each learned one."""
        ...

    def decode(self, images: Tensor) -> Tensor:
        """Return the decoded images, still in the learned space.

        (..., n, C, H, W) becomes (..., views * n, C, H, W); view `cell * n + i` is cell `cell` of
        image `i`, so the labels are those of the images, repeated `views` times in a row.
        """
        ...

    def normalise(self, images: Tensor) -> Tensor:
        """Return images of the learned space, (..., C, H, W), as networks are fed."""
        ...

    def clamp(self, images: Tensor) -> Tensor:
        """Return images of the learned space limited to what [0, 1] is in that space."""
        ...
