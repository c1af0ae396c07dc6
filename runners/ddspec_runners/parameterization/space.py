"""Spaces of the learned tensor: pixels in [0, 1], or normalised by mean and deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from torch import Tensor

from ddspec.spec.method import ParameterizationSpec
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.placement import channels


@dataclass(frozen=True, slots=True)
class Space:
    """A value space, with the per-channel statistics of the training split in [0, 1]."""

    kind: Literal["pixel", "normalised"]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, spec: ParameterizationSpec, mean: Sequence[float], std: Sequence[float]) -> Self:
        """Return the space of a spec; raises BadJob for whitened images."""
        if spec.space == "zca":
            raise BadJob("this version cannot whiten images (`space: zca`)")
        return cls(spec.space, tuple(mean), tuple(std))

    def from_pixel(self, images: Tensor) -> Tensor:
        """Return images (..., C, H, W) with values in [0, 1], in this space."""
        if self.kind == "pixel":
            return images
        return (images - channels(self.mean, images)) / channels(self.std, images)

    def to_pixel(self, images: Tensor) -> Tensor:
        """Return images (..., C, H, W) of this space as pixels; nothing is clamped."""
        if self.kind == "pixel":
            return images
        return images * channels(self.std, images) + channels(self.mean, images)

    def normalise(self, images: Tensor) -> Tensor:
        """Return images (..., C, H, W) of this space, normalised by mean and deviation."""
        if self.kind == "normalised":
            return images
        return (images - channels(self.mean, images)) / channels(self.std, images)

    def clamp(self, images: Tensor) -> Tensor:
        """Return images (..., C, H, W) limited to what [0, 1] is in this space."""
        if self.kind == "pixel":
            return images.clamp(0, 1)
        low, high = images.new_zeros(()), images.new_ones(())
        return images.clamp(self._channels(low, images), self._channels(high, images))

    def level(self, value: float, images: Tensor) -> Tensor:
        """Return the pixel value `value` in this space, as (C, 1, 1) in the dtype of `images`."""
        return self._channels(images.new_full((), value), images)

    def _channels(self, value: Tensor, images: Tensor) -> Tensor:
        return self.from_pixel(value.expand(images.shape[-3], 1, 1))
