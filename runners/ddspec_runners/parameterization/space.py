"""Spaces of the learned tensor: pixels in [0, 1], normalised by mean and deviation, or whitened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, assert_never

from torch import Tensor

from ddspec.spec.method import ParameterizationSpec
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.placement import channels


@dataclass(frozen=True, slots=True)
class Space:
    """A value space, with the per-channel statistics of the training split in [0, 1]."""

    kind: Literal["pixel", "normalised", "zca"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    whitening: Whitening | None = None
    """Given where networks are fed whitened images, whatever the space of the learned ones."""

    @classmethod
    def of(
        cls,
        spec: ParameterizationSpec,
        mean: Sequence[float],
        std: Sequence[float],
        whitening: Whitening | None = None,
    ) -> Self:
        """Return the space of a spec.

        Without its `whitening` a ZCA space still says what networks are fed, but can neither come
        from pixels nor go back to them: that raises BadJob.
        """
        return cls(spec.space, tuple(mean), tuple(std), whitening)

    def from_pixel(self, images: Tensor) -> Tensor:
        """Return images (..., C, H, W) with values in [0, 1], in this space."""
        match self.kind:
            case "pixel":
                return images
            case "normalised":
                return (images - channels(self.mean, images)) / channels(self.std, images)
            case "zca":
                return self._whitening().apply(images)
            case _:
                assert_never(self.kind)

    def to_pixel(self, images: Tensor) -> Tensor:
        """Return images (..., C, H, W) of this space as pixels; nothing is clamped."""
        match self.kind:
            case "pixel":
                return images
            case "normalised":
                return images * channels(self.std, images) + channels(self.mean, images)
            case "zca":
                return self._whitening().inverse(images)
            case _:
                assert_never(self.kind)

    def normalise(self, images: Tensor) -> Tensor:
        """Return images (..., C, H, W) of this space as networks are fed.

        Normalised by mean and deviation, or whitened: always where this space is, and where the
        whitening was given.
        """
        if self.kind == "zca":
            return images
        if self.whitening is not None:
            return self.whitening.apply(self.to_pixel(images))
        if self.kind == "normalised":
            return images
        return (images - channels(self.mean, images)) / channels(self.std, images)

    def clamp(self, images: Tensor) -> Tensor:
        """Return images (..., C, H, W) limited to what [0, 1] is; BadJob for whitened ones."""
        match self.kind:
            case "pixel":
                return images.clamp(0, 1)
            case "normalised":
                low, high = images.new_zeros(()), images.new_ones(())
                return images.clamp(self._channels(low, images), self._channels(high, images))
            case "zca":
                raise BadJob("whitened images have no bounds of single pixels: use `clamp: none`")
            case _:
                assert_never(self.kind)

    def level(self, value: float, images: Tensor) -> Tensor:
        """Return the pixel value `value` in this space, as (C, 1, 1) in the dtype of `images`.

        Whitening mixes all pixels of an image, so beyond its border there is zero, the mean image.
        """
        if self.kind == "zca":
            return images.new_zeros(images.shape[-3], 1, 1)
        return self._channels(images.new_full((), value), images)

    def _channels(self, value: Tensor, images: Tensor) -> Tensor:
        return self.from_pixel(value.expand(images.shape[-3], 1, 1))

    def _whitening(self) -> Whitening:
        if self.whitening is None:
            raise BadJob("images in ZCA space need the whitening that they were learned with")
        return self.whitening


def as_learned(split: PreparedSplit, spec: ParameterizationSpec) -> PreparedSplit:
    """Return a training split as networks see it while images are learned in the space of `spec`.

    Whitened for ZCA space, fitted on the split itself, else as it is.
    """
    if spec.space != "zca":
        return split
    if spec.zca_eps is None:
        raise BadJob("`parameterization.zca_eps` must be resolved to a number")
    return split.whitened(Whitening.fit(split, spec.zca_eps))
