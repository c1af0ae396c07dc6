from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from ddspec.wire.work import SourceModel
from ddspec_runners.data.split import by_class, split
from ddspec_runners.faults import BadJob


def source(*, classes: int = 3, holdout: float = 0.0, validation: float = 0.0) -> SourceModel:
    return SourceModel(
        name="shapes",
        content="0" * 64,
        classes=tuple(f"class{i}" for i in range(classes)),
        size=8,
        channels=1,
        validation=validation,
        holdout=holdout,
    )


LABELS = np.array([2, 0, 1, 0, 1, 2, 0, 0, 1, 0, 2, 1, 0, 0, 1, 2, 2, 0, 0, 0], dtype=np.int64)


def oracle(
    labels: list[int], name: str, holdout: float, validation: float
) -> tuple[list[int], list[int], list[int]]:
    """The rule, read aloud: (train, validation, test)."""

    def ranked(role: str, label: int, members: list[int]) -> list[int]:
        keys = {}
        for index in members:
            text = json.dumps([role, name, label, index], separators=(",", ":"))
            keys[hashlib.sha256(text.encode()).hexdigest()] = index
        return [keys[key] for key in sorted(keys)]

    train: list[int] = []
    valid: list[int] = []
    test: list[int] = []
    for label in sorted(set(labels)):
        members = [i for i, y in enumerate(labels) if y == label]
        order = ranked("holdout", label, members)
        held = set(order[: min(round(holdout * len(members)), len(members) - 1)])
        rest = [i for i in members if i not in held]
        order = ranked("validation", label, rest)
        kept = set(order[: min(round(validation * len(rest)), len(rest) - 1)])
        test += [i for i in members if i in held]
        valid += [i for i in rest if i in kept]
        train += [i for i in rest if i not in kept]
    return train, valid, test


@pytest.mark.parametrize(
    ("holdout", "validation"),
    [
        pytest.param(0.0, 0.0, id="nothing"),
        pytest.param(0.3, 0.2, id="both"),
        pytest.param(0.0, 0.5, id="validation"),
        pytest.param(0.99, 0.99, id="nearly-all"),
    ],
)
def test_splits_follow_the_stated_rule(holdout: float, validation: float) -> None:
    expected = oracle(LABELS.tolist(), "shapes", holdout, validation)

    found = split(LABELS, source(holdout=holdout, validation=validation))

    assert (found.train.tolist(), found.validation.tolist(), found.test.tolist()) == expected


def test_splits_share_no_image_and_lose_none() -> None:
    found = split(LABELS, source(holdout=0.3, validation=0.3))

    everything = np.concatenate([found.train, found.validation, found.test])

    assert sorted(everything.tolist()) == list(range(len(LABELS)))


def test_one_image_of_each_class_always_stays_in_training() -> None:
    labels = np.array([0, 1, 1, 2], dtype=np.int64)

    found = split(labels, source(holdout=0.9, validation=0.9))

    assert np.bincount(labels[found.train]).min() == 1


def test_a_class_without_images_is_refused_by_name() -> None:
    with pytest.raises(BadJob, match="class2"):
        split(np.array([0, 1], dtype=np.int64), source())


def test_images_are_ordered_by_class_then_by_source() -> None:
    order = by_class(np.array([1, 0, 1, 0], dtype=np.int64))

    assert order.tolist() == [1, 3, 0, 2]
