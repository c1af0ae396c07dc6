"""What the planner knows of a dataset: published facts, or what a lock says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ddspec.plan.ir import DataFacts
from ddspec.spec.dataset import BuiltinDatasetSpec, DatasetSpec, FolderDatasetSpec
from ddspec.spec.facts import FACTS, held_out

if TYPE_CHECKING:
    # Only for its type: what scans folders takes long to load.
    from ddspec.spec.lock import Lock


def data_facts(dataset: DatasetSpec, lock: Lock | None = None) -> DataFacts:
    """Return the facts of a dataset; those that only a lock can tell are None without it.

    A lock of another kind of dataset is none of this one.
    """
    lock = lock if lock is not None and lock.kind == dataset.kind else None
    if isinstance(dataset, FolderDatasetSpec):
        return _folder(dataset, lock)
    facts = _published(dataset)
    if lock is None or isinstance(dataset, BuiltinDatasetSpec):
        return facts
    test = lock.splits.get("test", {})
    facts = replace(
        facts,
        content=lock.digest,
        test=sum(test[name].images for name in facts.classes if name in test),
    )
    return _split(facts, _counts(lock, facts.classes), dataset.validation)


def _published(dataset: DatasetSpec) -> DataFacts:
    """Return what is known of a published dataset; without counts a class, sums are rounded."""
    published = FACTS[dataset.kind]
    facts = DataFacts(
        name=dataset.kind,
        title=published.title,
        content=published.content,
        classes=published.class_names,
        size=published.size if isinstance(dataset, BuiltinDatasetSpec) else dataset.size,
        channels=published.channels,
        test=published.test,
        holdout=published.holdout,
        mean=published.mean,
        std=published.std,
    )
    if published.train_per_class is not None:
        return _split(facts, published.train_per_class, dataset.validation)
    if published.train is None:
        return facts
    validation = round(dataset.validation * published.train)
    return replace(facts, train=published.train - validation, validation=validation)


def _folder(dataset: FolderDatasetSpec, lock: Lock | None) -> DataFacts:
    facts = DataFacts(
        name="folder",
        title=dataset.path,
        content=None,
        classes=dataset.classes or (),
        size=dataset.size,
        channels=dataset.channels,
        holdout=dataset.holdout,
    )
    if lock is None:
        return facts
    classes = dataset.classes or tuple(lock.images("train"))
    test = lock.splits.get("test", {})
    facts = replace(
        facts,
        content=lock.digest,
        classes=classes,
        test=sum(test[name].images for name in classes if name in test),
    )
    return _split(facts, _counts(lock, classes), dataset.validation)


def _counts(lock: Lock, classes: Sequence[str]) -> tuple[int, ...]:
    """Return the training images of each class; 0 for one that the lock does not know."""
    train: Mapping[str, int] = lock.images("train")
    return tuple(train.get(name, 0) for name in classes)


def _split(facts: DataFacts, per_class: Sequence[int], validation: float) -> DataFacts:
    """Return the facts with their counts, after test and validation are held out by class."""
    tested = [held_out(count, facts.holdout) if facts.holdout else 0 for count in per_class]
    rest = [count - out for count, out in zip(per_class, tested, strict=True)]
    held = [held_out(count, validation) for count in rest]
    kept = [count - out for count, out in zip(rest, held, strict=True)]
    return replace(
        facts,
        train=sum(kept),
        validation=sum(held),
        test=(facts.test or 0) + sum(tested),
        smallest_class=min(kept, default=0),
    )
