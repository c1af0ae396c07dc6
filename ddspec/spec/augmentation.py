"""Augmentation policies: which operations act on a batch, and with which strengths."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.base import Count, Fraction, NonNegative, SpecModel
from ddspec.spec.optimizer import SgdSpec, StepDecaySpec

Operation = Literal["flip", "color", "crop", "scale", "rotate", "cutout"]
DcOperation = Literal["crop", "scale", "rotate"]


class NoAugmentationSpec(SpecModel):
    """Leave images as they are."""

    kind: Literal["none"] = "none"


class DsaSpec(SpecModel):
    """Differentiable siamese augmentation (Zhao and Bilen, ICML 2021): one operation a call.

    `flip` mirrors with probability one half; `color` is brightness, saturation and contrast at
    once. Operations act on normalised images and fill with zero. Corners are aligned; for scale and
    rotation about the centre of a square image either alignment is the same map of the pixels.
    """

    kind: Literal["dsa"]
    operations: tuple[Operation, ...] = ("color", "crop", "cutout", "flip", "scale", "rotate")
    scale: Annotated[float, Field(strict=True, ge=1)] = 1.2
    """Both axes are scaled independently by a factor in [1 / scale, scale]."""
    rotate: NonNegative = 15.0
    """Largest angle, in degrees."""
    crop: Fraction = 0.125
    """Largest shift, as a fraction of the image side."""
    cutout: Fraction = 0.5
    """Side of the erased square, as a fraction of the image side."""
    brightness: NonNegative = 1.0
    saturation: NonNegative = 2.0
    contrast: NonNegative = 0.5


class IdcAugmentationSpec(SpecModel):
    """IDC's order (Kim et al., ICML 2022, official code).

    Flip, then colour, then exactly one of the listed crop, scale and rotate, then cutout. Colour
    and cutout always act when they are listed.
    """

    kind: Literal["idc"]
    operations: tuple[Operation, ...] = ("color", "crop", "cutout")
    scale: Annotated[float, Field(strict=True, ge=1)] = 1.2
    rotate: NonNegative = 15.0
    crop: Fraction = 0.125
    cutout: Fraction = 0.5
    brightness: NonNegative = 1.0
    saturation: NonNegative = 2.0
    contrast: NonNegative = 0.5


class ImageNetAugmentationSpec(SpecModel):
    """Random resized crop, flip, colour jitter and PCA lighting, as IDC trains on ImageNet."""

    kind: Literal["imagenet"]
    min_area: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.5
    """Smallest area of the crop, as a fraction of the image."""
    jitter: Fraction = 0.4
    """Strength of brightness, contrast and saturation jitter."""
    lighting: NonNegative = 0.1
    """Standard deviation of the PCA noise of AlexNet."""


class DcAugmentationSpec(SpecModel):
    """What DC trains on MNIST with (Zhao et al., ICLR 2021, official code): one operation an image.

    Each image gets one of the listed operations, chosen uniformly. Crop fills with the mean of the
    batch, scaling (nearest pixels) with zero, rotation (cubic splines) with the mean again.
    """

    kind: Literal["dc"]
    operations: Annotated[tuple[DcOperation, ...], Field(min_length=1)] = (
        "crop",
        "scale",
        "rotate",
    )
    crop: Annotated[int, Field(strict=True, ge=1, le=256)] = 4
    """Largest shift up and left, in pixels; down and right it is one less."""
    scale: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.2
    """Height and width are multiplied, each by itself, by a factor in 1 - scale .. 1 + scale."""
    rotate: Annotated[int, Field(strict=True, ge=1, le=90)] = 45
    """Angles are whole degrees from -rotate to rotate - 1."""


class PadCropSpec(SpecModel):
    """Pad, crop to the old size, mirror with probability one half (He et al., CVPR 2016)."""

    kind: Literal["pad_crop"]
    padding: Annotated[int, Field(strict=True, ge=0, le=256)] = 4
    """Pixels on each side."""
    flip: bool = True
    fill: Literal["mean", "black"] | None = None
    """What is padded with: the `mean` colour, which is zero in normalised images, or `black`, as
    where files are padded before they are normalised (SRe2L's code); by default `mean`."""


AugmentationSpec = Annotated[
    NoAugmentationSpec
    | DsaSpec
    | IdcAugmentationSpec
    | ImageNetAugmentationSpec
    | DcAugmentationSpec
    | PadCropSpec,
    Field(discriminator="kind"),
]


class AugmentationSection(SpecModel):
    """The policies used while distilling; the evaluation's belongs to its protocol."""

    matching: AugmentationSpec = Field(default_factory=NoAugmentationSpec)
    """Shared by the real and the synthetic batch of a class: one draw for all images."""
    training: AugmentationSpec = Field(default_factory=NoAugmentationSpec)
    """For network training, on real data or on the synthetic set, drawn per image."""
    cutmix: Fraction = 0.0
    """Probability that a training batch is mixed by CutMix, box by Beta(1, 1)."""


__all__ = [
    "AugmentationSection",
    "AugmentationSpec",
    "Count",
    "DcAugmentationSpec",
    "DcOperation",
    "DsaSpec",
    "IdcAugmentationSpec",
    "ImageNetAugmentationSpec",
    "NoAugmentationSpec",
    "Operation",
    "PadCropSpec",
    "SgdSpec",
    "StepDecaySpec",
]
