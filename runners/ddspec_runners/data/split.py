"""Which images are training, validation and test: by hash order within each class, never by RNG."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ddspec.canon import canonical
from ddspec.spec.facts import held_out
from ddspec.wire.work import SourceModel
from ddspec_runners.data.corpus import Indices
from ddspec_runners.faults import BadJob


@dataclass(frozen=True, slots=True)
class Splits:
    """Indices into the source's training part, ordered by class, then by source order."""

    train: Indices
    validation: Indices
    test: Indices
    """Empty where the source has a test split of its own."""


def split(labels: Indices, source: SourceModel) -> Splits:
    """Divide a source's training part.

    Within each class, source indices are ordered by the SHA-256 of the canonical JSON of
    ["holdout", name, class index, source index]; the first round(holdout x n) are test. Of the m
    that remain, ordered by the same hash under "validation", the first round(validation x m) are
    validation. At least one image of a class stays in training. Raises BadJob for an empty class.
    """
    parts = [_of_class(labels, source, label) for label in range(len(source.classes))]
    return Splits(
        train=np.concatenate([part.train for part in parts]),
        validation=np.concatenate([part.validation for part in parts]),
        test=np.concatenate([part.test for part in parts]),
    )


def by_class(labels: Indices) -> Indices:
    """Return all indices ordered by class, then by source order."""
    return np.argsort(labels, kind="stable").astype(np.int64)


def _of_class(labels: Indices, source: SourceModel, label: int) -> Splits:
    members = np.flatnonzero(labels == label).astype(np.int64)
    if not len(members):
        raise BadJob(f"class `{source.classes[label]}` of `{source.name}` has no training images")
    test = _first(members, source.holdout, "holdout", source.name, label)
    rest = np.setdiff1d(members, test)
    validation = _first(rest, source.validation, "validation", source.name, label)
    return Splits(np.setdiff1d(rest, validation), validation, test)


def _first(members: Indices, fraction: float, role: str, name: str, label: int) -> Indices:
    """Return the first round(fraction x n) members by hash, in source order."""
    count = held_out(len(members), fraction)
    if not count:  # hashing a million indices takes seconds
        return np.empty(0, dtype=np.int64)

    def rank(index: int) -> bytes:
        return hashlib.sha256(canonical([role, name, label, index])).digest()

    chosen = sorted(members.tolist(), key=rank)[:count]
    return np.array(sorted(chosen), dtype=np.int64)
