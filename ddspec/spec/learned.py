"""What is learned: images or what they are made of, in which space, from which start."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.base import Positive, SpecModel

Space = Literal["pixel", "normalised", "zca"]


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
    space: Space = "pixel"
    zca_eps: Positive | None = None
    """Of `zca`: added to the eigenvalues; by default 0.1 (MTT)."""


ParameterizationSpec = Annotated[PixelsSpec | MultiFormationSpec, Field(discriminator="kind")]


class InitSpec(SpecModel):
    """Where the synthetic images start."""

    kind: Literal["real", "noise", "mix"] = "real"
    """`mix` fills each cell of a multi-formation image with its own real image (IDC)."""
    draw: Literal["random", "first"] = "random"
    """Which real images: drawn by the seed, or the first of each class (IDC's code)."""
