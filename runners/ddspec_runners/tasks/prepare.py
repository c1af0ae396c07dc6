"""Decode one split of a dataset, once, into bytes that every later stage maps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from ddspec.wire.work import PrepareWork, SourceModel
from ddspec_runners.artifacts import atomic, write_json
from ddspec_runners.data.corpus import Bytes, Corpus, Indices, Part
from ddspec_runners.data.prepared import FACTS, IMAGES, LABELS, DatasetCard
from ddspec_runners.data.readers import READERS
from ddspec_runners.data.split import Splits, by_class, split
from ddspec_runners.data.statistics import ChannelStatistics
from ddspec_runners.faults import BadJob
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
    with atomic(site.output / IMAGES) as partial:
        for block in _written(partial, chosen, source, progress):
            if measure and not aside:
                statistics.add(block)
    if aside:
        for block in train.part.blocks(train.indices):
            statistics.add(block)
            progress.add(len(block))
    with atomic(site.output / LABELS) as partial, partial.open("wb") as file:
        np.save(file, chosen.labels)
    card = _card(work, corpus, chosen.labels, statistics if measure else None)
    write_json(site.output / FACTS, card.model_dump(mode="json"))
    return {"images": len(chosen.indices), "classes": len(source.classes)}


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

    def add(self, images: int) -> None:
        self.done += images
        self.site.advance(self.done, self.total, "images", state=dict, every_s=float("inf"))


def _written(
    path: Path, chosen: _Chosen, source: SourceModel, progress: _Progress
) -> Iterator[Bytes]:
    """Append each block to an npy file, and yield it.

    Plain writes, not a map: on a full disk they raise an error, where a map kills the process.
    """
    shape = (len(chosen.indices), source.channels, source.size, source.size)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in chosen.part.blocks(chosen.indices):
            file.write(block.tobytes())
            yield block
            progress.add(len(block))


def _card(
    work: PrepareWork, corpus: Corpus, labels: Indices, statistics: ChannelStatistics | None
) -> DatasetCard:
    source = work.source
    constant = statistics.constant() if statistics else ()
    notes = [f"channel {c} never varies in training; its deviation is set to 1" for c in constant]
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
