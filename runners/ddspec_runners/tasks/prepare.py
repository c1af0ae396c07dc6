"""Decode one split of a dataset, once, into bytes that every later stage maps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import JsonValue

from ddspec.visible import visible
from ddspec.wire.work import PrepareWork, SourceModel
from ddspec_runners.artifacts import atomic, write_json
from ddspec_runners.data.corpus import Block, Corpus, Indices, Part
from ddspec_runners.data.folder import NAMED
from ddspec_runners.data.prepared import FACTS, IMAGES, LABELS, DatasetCard
from ddspec_runners.data.readers import READERS
from ddspec_runners.data.split import Splits, by_class, split
from ddspec_runners.data.statistics import ChannelStatistics
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.site import Site

THREADS = 8
"""At most so many threads decode, however many cores there are; they change no byte."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Images of one split, ordered by class, then by source order."""

    part: Part
    indices: Indices

    @property
    def labels(self) -> Indices:
        return self.part.labels[self.indices]


def run(work: PrepareWork, site: Site) -> Mapping[str, JsonValue]:
    """Write `images.npy`, `labels.npy` and `dataset.json` of one split.

    Raises BadData where the dataset is missing, damaged or not the one that the work names, and
    BadJob where the split would be empty.
    """
    source = work.source
    if source.name not in READERS:
        raise BadJob(f"dataset `{source.name}` is unknown to this runner")
    corpus = READERS[source.name](source, site, max(site.threads, min(THREADS, cores())))
    splits = split(corpus.train.labels, source)
    train = _choose(corpus, source, splits, "train")
    chosen = _choose(corpus, source, splits, work.split)
    measure = source.mean is None or source.std is None
    aside = measure and work.split != "train"
    progress = _Progress(site, len(chosen.indices) + aside * len(train.indices))
    statistics = ChannelStatistics(source.channels)
    kept = _Kept()
    with atomic(site.output / IMAGES) as partial:
        for block in _written(partial, chosen, source, progress):
            kept.add(block)
            if measure and not aside:
                statistics.add(block.images)
    labels = kept.labels(chosen, work.split, source.classes)
    if aside:
        _measure(train, source, statistics, progress)
    with atomic(site.output / LABELS) as partial, partial.open("wb") as file:
        np.save(file, labels)
    card = _card(work, corpus, labels, statistics if measure else None, kept.left_out)
    write_json(site.output / FACTS, card.model_dump(mode="json"))
    return {
        "images": len(labels),
        "classes": len(source.classes),
        **({"left_out": len(kept.left_out)} if source.corrupt else {}),
    }


@dataclass(slots=True)
class _Kept:
    """Which images of a split were decoded, and which could not be."""

    indices: list[Indices] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, block: Block) -> None:
        self.indices.append(block.kept)
        self.left_out.extend(block.left_out)

    def labels(self, chosen: _Chosen, split: str, classes: Sequence[str]) -> Indices:
        """Return their labels; raises BadData where a class had images and none is left."""
        labels = chosen.part.labels[np.concatenate(self.indices)]
        before, after = (
            np.bincount(each, minlength=len(classes)) for each in (chosen.labels, labels)
        )
        empty = [
            f"class `{visible(name)}`: none of its {count} images can be decoded"
            for name, count, left in zip(classes, before.tolist(), after.tolist(), strict=True)
            if count and not left
        ]
        if empty:
            head = f"the {split} split loses {len(empty)} of {len(classes)} classes"
            raise BadData("\n  ".join([head, *empty[:NAMED]]))
        return labels


def _measure(
    train: _Chosen, source: SourceModel, statistics: ChannelStatistics, progress: _Progress
) -> None:
    """Count the levels of training images that are not written."""
    kept = _Kept()
    for block in train.part.blocks(train.indices):
        kept.add(block)
        statistics.add(block.images)
        progress.add(block)
    kept.labels(train, "train", source.classes)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choose(corpus: Corpus, source: SourceModel, splits: Splits, name: str) -> _Chosen:
    match name:
        case "train":
            chosen = _Chosen(corpus.train, splits.train)
        case "validation":
            chosen = _Chosen(corpus.train, splits.validation)
        case _ if corpus.test is not None:
            chosen = _Chosen(corpus.test, by_class(corpus.test.labels))
        case _:
            chosen = _Chosen(corpus.train, splits.test)
    if not len(chosen.indices):
        raise BadJob(f"the {name} split of `{source.name}` is empty: hold out a larger fraction")
    return chosen


@dataclass(slots=True)
class _Progress:
    """Images decoded so far; an interrupted preparation starts anew."""

    site: Site
    total: int
    done: int = 0
    left_out: int = 0

    def add(self, block: Block) -> None:
        self.done += block.tried
        self.left_out += len(block.left_out)
        self.site.advance(
            self.done,
            self.total,
            "images",
            state=dict,
            metrics={"left_out": self.left_out} if self.left_out else None,
            every_s=float("inf"),
        )


def _written(
    path: Path, chosen: _Chosen, source: SourceModel, progress: _Progress
) -> Iterator[Block]:
    """Append each block to an npy file, and yield it.

    Plain writes, not a map: on a full disk they raise an error, where a map kills the process.
    """
    size, written = (source.channels, source.size, source.size), 0
    with path.open("wb") as file:
        _head(file, (len(chosen.indices), *size))
        start = file.tell()
        for block in chosen.part.blocks(chosen.indices):
            file.write(block.images.tobytes())
            written += len(block.images)
            yield block
            progress.add(block)
        if written < len(chosen.indices):
            file.seek(0)
            _head(file, (written, *size))
            # numpy leaves room for any number, so that a header can be written again
            assert file.tell() == start


def _head(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _card(
    work: PrepareWork,
    corpus: Corpus,
    labels: Indices,
    statistics: ChannelStatistics | None,
    left_out: Sequence[str],
) -> DatasetCard:
    source = work.source
    constant = statistics.constant() if statistics else ()
    notes = [f"channel {c} never varies in training; its deviation is set to 1" for c in constant]
    notes += [f"left out, it cannot be decoded: {visible(one)}" for one in left_out]
    return DatasetCard(
        name=source.name,
        split=work.split,
        content=source.content,
        classes=source.classes,
        counts=tuple(np.bincount(labels, minlength=len(source.classes)).tolist()),
        size=source.size,
        channels=source.channels,
        mean=source.mean or (statistics.mean() if statistics else ()),
        std=source.std or (statistics.std() if statistics else ()),
        test_split=corpus.test_split if corpus.test else _holdout(source),
        notes=tuple(notes),
    )


def _holdout(source: SourceModel) -> str:
    return (
        f"{source.holdout:.6g} of each class: the first by SHA-256 of "
        f'["holdout", "{source.name}", class index, source index]'
    )
