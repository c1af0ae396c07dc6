"""What is learned: images or what they are made of, in which space, from which start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.base import Positive, SpecModel

Space = Literal["pixel", "normalised", "zca"]
Decode = Literal["single", "multi", "bound"]

WHITENED_NUMBERS = 4096
"""Numbers of the largest image that can be whitened: the covariance of all of them is dense."""
BOUND = 128
"""Decoded images of a class that `bound` does not pass, unless more are learned (IDC's code)."""


class PixelsSpec(SpecModel):
    """Learn the images themselves."""

    kind: Literal["pixels"] = "pixels"
    space: Space = "pixel"
    """`pixel` is [0, 1]; `normalised` is after subtracting mean and dividing by deviation; `zca` is
    after whitening, fitted on the training split."""
    zca_eps: Positive | None = None
    """Of `zca`: added to the eigenvalues; by default 0.1 (MTT)."""


class MultiFormationSpec(SpecModel):
    """Each image holds factor x factor patches, upsampled bilinearly when used (IDC)."""

    kind: Literal["multi_formation"]
    factor: Annotated[int, Field(strict=True, ge=1, le=8)] = 2
    """Patches along a side: 2 for small images, 3 for ImageNet (IDC)."""
    space: Space = "pixel"
    zca_eps: Positive | None = None
    """Of `zca`: added to the eigenvalues; by default 0.1 (MTT)."""
    decode: Decode | None = None
    """`single` cuts every image by `factor`; `multi` by all smaller factors too; `bound` cuts the
    first images by `factor` and the others by less, so that a class has at most 128 decoded images;
    by default `single`."""
    used: Decode | None = None
    """How the finished set is decoded when networks are trained on it; by default as while it was
    learned."""

    def formation(self, images: int) -> tuple[tuple[int, int, int], ...]:
        """Return which of a class's `images` are cut how: (factor, first, behind the last)."""
        match self.decode or "single":
            case "single":
                return ((self.factor, 0, images),)
            case "multi":
                return tuple((factor, 0, images) for factor in range(1, self.factor + 1))
            case "bound":
                return tuple(_bounded(images, self.factor))


def _bounded(images: int, largest: int) -> Iterator[tuple[int, int, int]]:
    """Yield IDC's formation: the most images by the largest factor, what is left by the next.

    Before each factor the images that are left are counted as one each against the bound.
    """
    first, room = 0, BOUND
    for factor in range(largest, 1, -1):
        left = images - first
        fitting = min(left, max(0, room - left) // factor**2)
        if fitting:
            yield factor, first, first + fitting
        first, room = first + fitting, room - fitting * factor**2
    if first < images:
        yield 1, first, images


ParameterizationSpec = Annotated[PixelsSpec | MultiFormationSpec, Field(discriminator="kind")]


def views_of(shape: ParameterizationSpec, images: int) -> int:
    """Return how many images are decoded of `images` learned ones of a class."""
    if isinstance(shape, PixelsSpec):
        return images
    return sum(factor**2 * (stop - start) for factor, start, stop in shape.formation(images))


def as_used(shape: ParameterizationSpec) -> ParameterizationSpec:
    """Return how a finished set is decoded when networks are trained on it."""
    if isinstance(shape, PixelsSpec) or shape.used is None:
        return shape
    return shape.model_copy(update={"decode": shape.used, "used": None})


class InitSpec(SpecModel):
    """Where the synthetic images start."""

    kind: Literal["real", "noise", "mix"] = "real"
    """`mix` fills each cell of a multi-formation image with its own real image (IDC)."""
    draw: Literal["random", "first"] = "random"
    """Which real images: drawn by the seed, or the first of each class (IDC's code)."""
