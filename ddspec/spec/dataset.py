"""Datasets: the built-in ones by name, and any class-per-folder tree."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ddspec.spec.base import Count, Fraction, Name, SpecModel, Text

Side = Annotated[int, Field(strict=True, ge=4, le=1024)]
Held = Annotated[float, Field(strict=True, ge=0, lt=1)]
Corrupt = Annotated[int, Field(strict=True, ge=0, le=100_000)]

BuiltinName = Literal["digits", "mnist", "fashion_mnist", "svhn", "cifar10", "cifar100"]

LockedKind: TypeAlias = Literal[
    "folder",
    "tiny_imagenet",
    "imagenet10",
    "imagenet100",
    "imagenet1k",
    "imagenette",
    "imagewoof",
    "imagefruit",
    "imagemeow",
    "imagesquawk",
    "imageyellow",
]
"""Datasets that a lock identifies."""


class BuiltinDatasetSpec(SpecModel):
    """A dataset that is identified by published checksums."""

    kind: BuiltinName
    validation: Held = 0.0
    """Fraction of each class of the training split that is held out for choices."""


class FolderDatasetSpec(SpecModel):
    """Images in one folder per class, identified by a committed lock (`ddspec lock`)."""

    kind: Literal["folder"]
    path: Text
    """Folder under the data directory; a location, so no part of the identity."""
    train: Text = "train"
    test: Text | None = "test"
    """Subfolders of `path` with the two splits; without `test`, `holdout` defines it."""
    holdout: Held = 0.0
    """Where `test` is null: fraction of each class of `train` that becomes the test split."""
    classes: tuple[Text, ...] | None = None
    """Class folders in label order; by default all of them, sorted by code point."""
    size: Side
    """Side in pixels: the short side is resized to it (bilinear, antialiased), the centre kept."""
    channels: Literal[1, 3, 4] = 3
    validation: Held = 0.0
    corrupt: Corrupt | None = None
    """Images of each split that may be undecodable, and are left out; by default one stops it."""


class ImageNetSubsetSpec(SpecModel):
    """ImageNet-1K or a published subset of it, read from the original folders, by a lock."""

    kind: Literal["imagenet10", "imagenet100", "imagenet1k"]
    path: Text = "imagenet"
    train: Text = "train"
    test: Text = "val"
    size: Side = 224
    validation: Held = 0.0
    corrupt: Corrupt | None = None
    """Images of each split that may be undecodable, and are left out; by default one stops it."""


class ImageNetTenSpec(SpecModel):
    """Ten classes of ImageNet-1K as MTT chose them, read from the original folders, by a lock."""

    kind: Literal[
        "imagenette", "imagewoof", "imagefruit", "imagemeow", "imagesquawk", "imageyellow"
    ]
    path: Text = "imagenet"
    train: Text = "train"
    test: Text = "val"
    size: Side = 128
    validation: Held = 0.0
    corrupt: Corrupt | None = None
    """Images of each split that may be undecodable, and are left out; by default one stops it."""


class TinyImageNetSpec(SpecModel):
    """Tiny-ImageNet as its archive unpacks, or with one folder per class, identified by a lock."""

    kind: Literal["tiny_imagenet"]
    path: Text = "tiny-imagenet-200"
    train: Text = "train"
    test: Text = "val"
    """The published validation split: that of the test has no labels."""
    size: Side = 64
    validation: Held = 0.0
    corrupt: Corrupt | None = None
    """Images of each split that may be undecodable, and are left out; by default one stops it."""


PublishedFolderSpec: TypeAlias = ImageNetSubsetSpec | ImageNetTenSpec | TinyImageNetSpec
"""Datasets whose classes are published and whose images a lock identifies."""

DatasetSpec = Annotated[
    BuiltinDatasetSpec
    | FolderDatasetSpec
    | ImageNetSubsetSpec
    | ImageNetTenSpec
    | TinyImageNetSpec,
    Field(discriminator="kind"),
]

__all__ = [
    "BuiltinDatasetSpec",
    "BuiltinName",
    "Count",
    "DatasetSpec",
    "FolderDatasetSpec",
    "Fraction",
    "ImageNetSubsetSpec",
    "ImageNetTenSpec",
    "LockedKind",
    "Name",
    "PublishedFolderSpec",
    "TinyImageNetSpec",
]
