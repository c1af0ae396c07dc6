"""Datasets: the built-in ones by name, and any class-per-folder tree."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.base import Count, Fraction, Name, SpecModel, Text

BuiltinName = Literal["digits", "mnist", "fashion_mnist", "cifar10", "cifar100"]


class BuiltinDatasetSpec(SpecModel):
    """A dataset that is identified by published checksums."""

    kind: BuiltinName
    validation: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    """Fraction of each class of the training split that is held out for choices."""


class FolderDatasetSpec(SpecModel):
    """Images in one folder per class, identified by a committed lock (`ddspec lock`)."""

    kind: Literal["folder"]
    path: Text
    """Folder under the data directory; a location, so no part of the identity."""
    train: Text = "train"
    test: Text | None = "test"
    """Subfolders of `path` with the two splits; without `test`, `holdout` defines it."""
    holdout: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    """Where `test` is null: fraction of each class of `train` that becomes the test split."""
    classes: tuple[Text, ...] | None = None
    """Class folders in label order; by default all of them, sorted by code point."""
    size: Annotated[int, Field(strict=True, ge=4, le=1024)]
    """Side in pixels: the short side is resized to it (bilinear, antialiased), the centre kept."""
    channels: Literal[1, 3, 4] = 3
    validation: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0


class ImageNetSubsetSpec(SpecModel):
    """A published subset of ImageNet-1K, read from the original folders, identified by a lock."""

    kind: Literal["imagenet100"]
    path: Text = "imagenet"
    train: Text = "train"
    test: Text = "val"
    size: Annotated[int, Field(strict=True, ge=4, le=1024)] = 224
    validation: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0


DatasetSpec = Annotated[
    BuiltinDatasetSpec | FolderDatasetSpec | ImageNetSubsetSpec, Field(discriminator="kind")
]

__all__ = [
    "BuiltinDatasetSpec",
    "BuiltinName",
    "Count",
    "DatasetSpec",
    "FolderDatasetSpec",
    "Fraction",
    "ImageNetSubsetSpec",
    "Name",
]
