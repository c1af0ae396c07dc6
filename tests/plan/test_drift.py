"""What moved since a lock was written is named, class by class and digest by digest."""

from __future__ import annotations

from typing import Any

import pytest

from ddspec.plan.drift import (
    Drift,
    FoundImage,
    Installed,
    data_drift,
    image_drift,
    in_sentences,
    runners_drift,
)
from ddspec.spec.lock import Lock, LockedClass, LockedImage, LockedRunners, digest_of_splits

A, B = "a" * 64, "b" * 64
IMAGE = LockedImage(reference="runner:1", id=f"sha256:{A}", digest=None, source=A)
RUNNERS = LockedRunners(source=A, revisions={"distill": 1, "merge": 1}, image=IMAGE)


def lock(**classes: tuple[int, str]) -> Lock:
    splits: dict[Any, Any] = {
        "train": {name: LockedClass(images=n, digest=d) for name, (n, d) in classes.items()}
    }
    return Lock(kind="folder", splits=splits, digest=digest_of_splits(splits))


def test_the_same_runners_have_not_moved() -> None:
    assert list(runners_drift(RUNNERS, Installed(A, {"distill": 1, "merge": 1}))) == []


def test_other_source_is_told_with_the_revisions_that_moved() -> None:
    found = in_sentences(runners_drift(RUNNERS, Installed(B, {"distill": 2, "relabel": 1})))

    assert found == [
        "runners: locked with source aaaaaaaaaaaa, this installation has bbbbbbbbbbbb; "
        "revisions moved: `distill` 1 to 2, `merge` 1 to none, `relabel` none to 1",
        "image: `runner:1` was locked with source aaaaaaaaaaaa inside, "
        "this installation has bbbbbbbbbbbb",
    ]


def test_other_source_of_the_same_revisions_says_so() -> None:
    [runners, _] = runners_drift(RUNNERS, Installed(B, {"distill": 1, "merge": 1}))

    assert runners.message.endswith("the same revisions")


@pytest.mark.parametrize(
    ("digest", "here", "moved"),
    [
        pytest.param(None, FoundImage("runner:1", f"sha256:{A}", None), False, id="same id"),
        pytest.param(None, FoundImage("runner:1", f"sha256:{B}", None), True, id="other id"),
        pytest.param(
            f"r@sha256:{A}", FoundImage("r:1", f"sha256:{B}", f"r@sha256:{A}"), False, id="pulled"
        ),
        pytest.param(
            f"r@sha256:{A}", FoundImage("r:1", f"sha256:{A}", f"r@sha256:{B}"), True, id="pushed"
        ),
    ],
)
def test_an_image_is_known_by_its_digest_else_by_its_id(
    digest: str | None, here: FoundImage, moved: bool
) -> None:
    locked = IMAGE.model_copy(update={"digest": digest})

    assert bool(list(image_drift(locked, here))) == moved


def test_moved_data_are_named_by_class() -> None:
    before = lock(ant=(3, A), bee=(4, A), cat=(5, A))
    now = lock(ant=(3, A), bee=(4, B), cat=(6, B), dog=(1, A))

    assert in_sentences(data_drift(before, now)) == [
        "data: train/bee: 4 images, some of them others",
        "data: train/cat: 5 images locked, 6 here",
        "data: train/dog: 1 images that were not locked",
    ]


def test_of_many_moved_classes_a_few_are_named() -> None:
    before = lock(**{f"c{i}": (1, A) for i in range(9)})
    now = lock(**{f"c{i}": (2, A) for i in range(9)})

    found = list(data_drift(before, now))

    assert len(found) == 6
    assert found[-1] == Drift("data", "and 4 more classes")
