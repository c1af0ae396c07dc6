"""Presets: published methods as data, found by name, chosen block by block by what they are for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from ddspec.canon import Digest, Json, digest
from ddspec.spec.base import Count, Fraction, Name, SpecModel, Text
from ddspec.spec.directives import DisagreementSpec
from ddspec.spec.explain import validate
from ddspec.spec.facts import FACTS
from ddspec.spec.layers import DIRECTIVES
from ddspec.spec.merge import section
from ddspec.spec.nodes import Document, Node, compose
from ddspec.spec.source import Source

PERSONAL = (*DIRECTIVES, "name", "title", "seed", "dataset", "budget", "expect", "resources")
"""What a person decides, and no preset may."""


def _ordered(limits: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    low, high = limits
    if low is not None and high is not None and low > high:
        raise ValueError("the range is empty")
    return limits


Range: TypeAlias = tuple[Count | None, Count | None]
"""A closed range; null is an open end."""


class When(SpecModel):
    """For what a block is meant; every condition that is given must hold."""

    dataset: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Kinds of datasets."""
    variant: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    images_per_class: Range | None = None
    size: Range | None = None
    channels: Range | None = None
    classes: Range | None = None

    @model_validator(mode="after")
    def _no_empty_range(self) -> Self:
        for limits in (self.images_per_class, self.size, self.channels, self.classes):
            _ordered(limits or (None, None))
        return self


class Block(SpecModel):
    """Settings that come from one source."""

    source: Text
    """The paper's table or section, or the official code."""
    when: When = Field(default_factory=When)
    set: dict[str, Any] = Field(default_factory=dict)
    """Part of a spec; it is validated as part of the experiment that it becomes part of."""
    disagreements: tuple[DisagreementSpec, ...] = ()

    @model_validator(mode="after")
    def _impersonal(self) -> Self:
        if personal := [key for key in self.set if key in PERSONAL]:
            raise ValueError(f"a preset cannot set `{personal[0]}`")
        return self


class Published(SpecModel):
    """Where the method has published results."""

    dataset: Name
    images_per_class: Annotated[tuple[Count, ...], Field(min_length=1)]
    source: Text | None = None


class Result(SpecModel):
    """A published number."""

    dataset: Name
    size: Count | None = None
    """Side in pixels; by default that at which the dataset is used."""
    images_per_class: Count
    variant: Name | None = None
    network: Name | None = None
    """Short name of what was trained on the set; by default the network it was distilled with."""
    accuracy: Fraction
    std: Fraction | None = None
    """As it was published; of what, its source says."""
    source: Text


class PresetFile(SpecModel):
    """A file under `presets/methods`."""

    format: Literal["ddspec.preset/1"]
    name: Name
    title: Text
    blocks: Annotated[tuple[Block, ...], Field(min_length=1)]
    """Later ones win over earlier ones."""
    default: Name | None = None
    """The variant that a spec has which names none."""
    published: tuple[Published, ...] = ()
    results: tuple[Result, ...] = ()
    """What a spec that changes nothing of the method is expected to reach."""
    unpublished: Text | None = None
    """What the card of every set says, where publications leave settings of the method open; the
    settings are those of blocks that are `ours`."""

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the default variant and of those that some block is meant for, in order."""
        own = [] if self.default is None else [self.default]
        named = [name for one in self.blocks for name in one.when.variant or ()]
        return tuple(dict.fromkeys([*own, *named]))


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset, and the document that it was read from."""

    content: PresetFile
    document: Document
    digest: Digest
    """Of what it sets and when; sources, results, comments and layout do not count."""

    def settings(self, block: int) -> Node:
        """Return the part of a spec that a block sets; empty where it only tells something."""
        node = self.document.find("blocks", block)
        assert node is not None  # `content` was read from it
        return node.children.get("set") or section(node, {}, {})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a preset is applied to; None is not known, or not given."""

    dataset: str | None = None
    size: int | None = None
    channels: int | None = None
    classes: int | None = None
    images_per_class: int | None = None
    variant: str | None = None


def preset_names(folder: Path) -> tuple[str, ...]:
    """Return the names of all presets, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


@cache
def read_preset(name: str, folder: Path) -> Preset:
    """Read a preset by its name; raises `KeyError` where there is none of that name.

    A mistake in the file is a `DdspecError` (invalid) with its place in it.
    """
    if name not in preset_names(folder):
        raise KeyError(name)
    text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
    document = compose(Source(f"presets/{folder.name}/{name}.yaml", text, ours=True))
    content = validate(document, PresetFile)
    return Preset(content, document, digest(_meaning(document)))


def _meaning(document: Document) -> Json:
    """Return the part of a preset that makes specs what they are."""
    blocks = document.find("blocks")
    default = document.find("default")
    assert blocks is not None  # it was validated
    return {
        "default": None if default is None else default.value,
        "blocks": [
            {key: node.value for key, node in block.children.items() if key in ("when", "set")}
            for block in blocks.children.values()
            if "set" in block.children
        ],
    }


def applied(preset: Preset, subject: Subject) -> tuple[int, ...]:
    """Return the indices of the blocks that are meant for a subject, in order."""
    return tuple(
        index for index, block in enumerate(preset.content.blocks) if holds(block.when, subject)
    )


def holds(when: When, subject: Subject) -> bool:
    """Tell whether every condition holds; one about what is not known does not."""
    words = ((when.dataset, subject.dataset), (when.variant, subject.variant))
    ranges = (
        (when.images_per_class, subject.images_per_class),
        (when.size, subject.size),
        (when.channels, subject.channels),
        (when.classes, subject.classes),
    )
    return all(word in known for known, word in words if known is not None) and all(
        _within(value, limits) for limits, value in ranges if limits is not None
    )


def result_of(preset: Preset, subject: Subject) -> int | None:
    """Return the index of the published number of the method's own network, where there is one."""
    facts = FACTS.get(subject.dataset or "")
    for index, row in enumerate(preset.content.results):
        size = row.size if row.size is not None else facts and facts.size
        of = (row.dataset, row.images_per_class, row.variant, size)
        asked = (subject.dataset, subject.images_per_class, subject.variant, subject.size)
        if row.network is None and of == asked:
            return index
    return None


def is_published(preset: Preset, subject: Subject) -> bool:
    """Tell whether the method has a published result for this dataset and budget."""
    rows: Iterable[Published] = preset.content.published
    return any(
        row.dataset == subject.dataset and subject.images_per_class in row.images_per_class
        for row in rows
    )


def _within(value: int | None, limits: Sequence[int | None]) -> bool:
    low, high = limits
    if value is None:
        return False
    return (low is None or low <= value) and (high is None or value <= high)
