"""A synthetic set that somebody else distilled, in the files of their code."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from ddspec.spec.base import Fraction, Natural, Positive, SpecModel, Text
from ddspec.spec.learned import Space

Layout: TypeAlias = Literal["dc", "mtt", "idc"]
Holds: TypeAlias = Literal["images", "labels"]
Sha256 = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")]


class ImportedFileSpec(SpecModel):
    """One file, as the official code wrote it."""

    path: Text
    """File under the data directory; a location, so no part of the identity."""
    sha256: Sha256
    """Digest of the file; another file is refused."""
    holds: Holds | None = None
    """Of `mtt`, which writes a file of images and one of labels: which it is, by default images."""


class ImportedSpec(SpecModel):
    """Take the synthetic set from files instead of distilling it.

    Pool, inner loop, matcher, update and loops then reach nothing, unless soft labels need the
    pool's networks. What the images are (space of the stored set, factor) is `parameterization`.
    """

    layout: Layout
    """Whose code wrote the files: `dc` is that of DC, DSA and DM (and IDM's), `mtt` that of MTT,
    FTD and TESLA, `idc` that of IDC and Acc-DD."""
    files: Annotated[tuple[ImportedFileSpec, ...], Field(min_length=1, max_length=1000)]
    """Joined in this order: sets come in parts, by class or by number of images."""
    space: Space
    """What the numbers in the files are: `pixel` is [0, 1], `normalised` is after subtracting mean
    and dividing by deviation, `zca` is after whitening."""
    mean: Annotated[tuple[Fraction, ...], Field(min_length=1, max_length=4)] | None = None
    """Of `normalised`, per channel: what was subtracted; by default the mean of the dataset."""
    std: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=4)] | None = None
    """Of `normalised`, per channel: what was divided by; by default the dataset's deviation."""
    experiment: Natural | None = None
    """Of `dc`, whose file holds the sets of several experiments: which; by default the first."""
    classes: Annotated[tuple[Text, ...], Field(min_length=2, max_length=100_000)] | None = None
    """Classes in the order of the labels in the files; by default that of the dataset."""
    learning_rate: Positive | None = None
    """The learning rate of a network that was learned with the images (MTT), which is in no
    file: its logs have it."""

    @model_validator(mode="after")
    def _of_its_layout(self) -> Self:
        if self.experiment is not None and self.layout != "dc":
            raise ValueError(f"files of `{self.layout}` hold one set: leave `experiment` out")
        if self.layout != "mtt" and any(file.holds is not None for file in self.files):
            raise ValueError(f"files of `{self.layout}` hold images and labels: leave `holds` out")
        if not self.of_images:
            raise ValueError("some file holds images: that of MTT is called `images_best.pt`")
        if len({file.sha256 for file in self.of_images}) < len(self.of_images):
            raise ValueError("a file of images is named twice")
        if self.layout == "dc" and len(self.files) > 1:
            raise ValueError("a set of `dc` is in one file")
        return self

    @model_validator(mode="after")
    def _normalised_by(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("`mean` and `std` go together")
        if self.mean is not None and self.space != "normalised":
            raise ValueError(f"images in {self.space} space have no `mean` and `std`")
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            raise ValueError("`mean` and `std` have one value a channel")
        return self

    @property
    def of_images(self) -> tuple[ImportedFileSpec, ...]:
        """The files that hold images, which may hold labels too."""
        return tuple(file for file in self.files if file.holds != "labels")
