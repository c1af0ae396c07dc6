"""From an augmentation's spec to its policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ddspec.errors import DdspecError, Exit
from ddspec.spec.augmentation import (
    AugmentationSpec,
    DcAugmentationSpec,
    DsaSpec,
    IdcAugmentationSpec,
    ImageNetAugmentationSpec,
    NoAugmentationSpec,
    PadCropSpec,
)
from ddspec_runners.augment.base import Policy
from ddspec_runners.augment.dc import Dc
from ddspec_runners.augment.dsa import Dsa
from ddspec_runners.augment.idc import Idc
from ddspec_runners.augment.imagenet import ImageNet
from ddspec_runners.augment.none import Identity
from ddspec_runners.augment.pad_crop import PadCrop


def make_policy(
    spec: AugmentationSpec,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Policy:
    """Return the policy of a spec.

    `mean` and `std` are those that the images were normalised with, one for each channel. Only
    `imagenet` and black padding need them; `imagenet` raises DdspecError unless they describe three
    channels, because its grey and its lighting are defined for red, green and blue.
    """
    match spec:
        case NoAugmentationSpec():
            return Identity()
        case DsaSpec():
            return Dsa(spec)
        case IdcAugmentationSpec():
            return Idc(spec)
        case ImageNetAugmentationSpec():
            return _imagenet(spec, mean, std)
        case DcAugmentationSpec():
            return Dc(spec)
        case PadCropSpec():
            return PadCrop(spec, _black(spec, mean, std))
        case _:
            assert_never(spec)


def _black(
    spec: PadCropSpec, mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[float, ...] | None:
    """Return what a pixel value of zero is after normalisation, where a policy fills with it."""
    if spec.fill != "black":
        return None
    if mean is None or std is None:
        raise ValueError("black is a pixel value: give mean and std")
    return tuple(-middle / spread for middle, spread in zip(mean, std, strict=True))


def _imagenet(
    spec: ImageNetAugmentationSpec, mean: Sequence[float] | None, std: Sequence[float] | None
) -> ImageNet:
    if mean is None or std is None:
        raise ValueError("the imagenet policy acts on pixel values: give mean and std")
    if len(mean) != 3 or len(std) != 3:
        raise DdspecError(
            f"augmentation `imagenet` needs images of 3 channels, these have {len(mean)}",
            exit=Exit.INVALID,
            hint="use `kind: dsa` or `kind: idc` for this dataset",
        )
    return ImageNet(spec, tuple(mean), tuple(std))
