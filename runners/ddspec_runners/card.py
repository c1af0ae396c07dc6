"""The card of a synthetic set: everything needed to use it without the run that made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ddspec.canon import Digest
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import ParameterizationSpec
from ddspec.wire.schedule import Seed
from ddspec.wire.work import ClassRange
from ddspec_runners.data.prepared import DatasetCard
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.parameterization.space import Space

LabelKind: TypeAlias = Literal["hard", "learned", "expert", "soft"]
"""`learned` (logits) and `expert` (probabilities) lie with the images as `soft_labels`. `soft` is
said of delivered sets alone: teachers label each view, in a relabelling beside the set or while a
network is trained, and the stored labels are those of the classes."""
WITH_IMAGES: frozenset[LabelKind] = frozenset({"learned", "expert"})
"""Kinds whose labels are a tensor beside the images."""


class CardModel(BaseModel):
    """Base of the parts of a card."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatasetOfCard(CardModel):
    """Where the set comes from, and what its accuracy is measured on."""

    name: str
    content: Digest
    test_split: str
    """How the test split is defined."""


class Provenance(CardModel):
    """Which stage made the set."""

    key: Digest
    kind: Literal["distill", "select", "round", "import"]
    seed: Seed
    files: tuple[str, ...] | None = None
    """Of an imported set: SHA-256 of the files that it was in."""

    @model_serializer(mode="wrap")
    def _as_ever(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what only imported sets say: stored cards keep their bytes."""
        shown: dict[str, Any] = whole(self)
        if self.files is None:
            del shown["files"]
        return shown


class LeftOpen(CardModel):
    """What publications of a method do not say, and what was taken."""

    note: str
    settings: Mapping[str, str]
    """By path in a spec: where the value is from."""


class Card(CardModel):
    """What a synthetic set needs to be used; the images are `images` [K', n, C, H, W]."""

    format: Literal["ddspec.card/1"] = "ddspec.card/1"
    parameterization: ParameterizationSpec
    """Value space of the stored tensor (`space`), and how it decodes (`kind`, `factor`)."""
    mean: tuple[float, ...]
    """Per channel in [0, 1]: normalised = (pixel - mean) / std."""
    std: tuple[float, ...]
    size: int
    """Side of a decoded image in pixels."""
    channels: int
    classes: tuple[str, ...]
    """All classes of the dataset, in label order."""
    covers: ClassRange
    """Those that this set holds; a shard holds a part."""
    images_per_class: int
    """Stored images a class; each decodes to one or more training images."""
    labels: LabelKind = "hard"
    learned_lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The learning rate of a network that was learned with the images (MTT); None is none."""
    protocol: ProtocolSpec | None = None
    """How to train on the set, where it is known."""
    dataset: DatasetOfCard
    provenance: Provenance
    unpublished: LeftOpen | None = None
    """Of delivered sets alone: which settings the method's publications leave open (Teddy)."""

    @model_serializer(mode="wrap")
    def _as_ever(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what only some cards say: stored sets keep their bytes."""
        shown: dict[str, Any] = whole(self)
        if self.unpublished is None:
            del shown["unpublished"]
        return shown

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError("`mean` and `std` must have one value a channel")
        if not 0 <= self.covers.start < self.covers.stop <= self.covers.of == len(self.classes):
            raise ValueError("`covers` must be a range of `classes`")
        return self

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Shape of the stored tensor, (K', n, C, H, W)."""
        held = self.covers.stop - self.covers.start
        return held, self.images_per_class, self.channels, self.size, self.size

    @property
    def soft_shape(self) -> tuple[int, int, int] | None:
        """Shape of the labels beside the images, (K', n, K); None where there are none."""
        if self.labels not in WITH_IMAGES:
            return None
        return self.shape[0], self.images_per_class, len(self.classes)

    @property
    def whitened(self) -> bool:
        """Whether the stored tensor is in ZCA space."""
        return self.parameterization.space == "zca"

    def space(self, whitening: Whitening | None = None) -> Space:
        """Return the value space of the stored tensor; `whitening` is that of ZCA space."""
        return Space.of(self.parameterization, self.mean, self.std, whitening)


def make_card(
    dataset: DatasetCard,
    *,
    parameterization: ParameterizationSpec,
    images_per_class: int,
    provenance: Provenance,
    covers: ClassRange | None = None,
    labels: LabelKind = "hard",
    learned_lr: float | None = None,
) -> Card:
    """Return the card of a set made from a prepared training split; by default of all classes."""
    everything = ClassRange(start=0, stop=len(dataset.classes), of=len(dataset.classes))
    return Card(
        parameterization=parameterization,
        mean=dataset.mean,
        std=dataset.std,
        size=dataset.size,
        channels=dataset.channels,
        classes=dataset.classes,
        covers=covers or everything,
        images_per_class=images_per_class,
        labels=labels,
        learned_lr=learned_lr,
        dataset=DatasetOfCard(
            name=dataset.name, content=dataset.content, test_split=dataset.test_split
        ),
        provenance=provenance,
    )
