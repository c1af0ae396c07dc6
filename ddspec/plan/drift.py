"""What moved since a lock was written; told apart from what somebody changed in a spec.

Nothing here changes a key: it says that the same stages would be computed by other code, in another
image, or from other images than when the lock was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ddspec.spec.lock import Lock, LockedClass, LockedImage, LockedRunners
from ddspec.visible import visible

Part: TypeAlias = Literal["runners", "image", "data"]
SHORT = 12
"""Characters of a digest that are shown."""
NAMED = 5
"""Classes that are named one by one."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not what the lock says."""

    part: Part
    message: str


@dataclass(frozen=True, slots=True)
class Installed:
    """The runners of this installation."""

    source: str
    revisions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image as an engine describes it now."""

    reference: str
    id: str
    digest: str | None


def runners_drift(locked: LockedRunners, here: Installed) -> Iterator[Drift]:
    """Yield how this installation differs from the one that wrote a lock."""
    if locked.source != here.source:
        kinds = sorted({*locked.revisions, *here.revisions})
        moved = [
            f"`{kind}` {locked.revisions.get(kind, 'none')} to {here.revisions.get(kind, 'none')}"
            for kind in kinds
            if locked.revisions.get(kind) != here.revisions.get(kind)
        ]
        numbers = f"revisions moved: {', '.join(moved)}" if moved else "the same revisions"
        message = (
            f"locked with source {locked.source[:SHORT]}, "
            f"this installation has {here.source[:SHORT]}; {numbers}"
        )
        yield Drift("runners", message)
    image = locked.image
    if image is not None and image.source != here.source:
        message = (
            f"`{visible(image.reference)}` was locked with source {image.source[:SHORT]} inside, "
            f"this installation has {here.source[:SHORT]}"
        )
        yield Drift("image", message)


def image_drift(locked: LockedImage, here: FoundImage) -> Iterator[Drift]:
    """Yield how the image that a run would use differs from the locked one."""
    same = locked.digest == here.digest if locked.digest and here.digest else locked.id == here.id
    if not same:
        before, now = locked.digest or locked.id, here.digest or here.id
        message = (
            f"the lock says `{visible(locked.reference)}` is {visible(_brief(before))}, "
            f"here `{visible(here.reference)}` is {visible(_brief(now))}"
        )
        yield Drift("image", message)


def data_drift(locked: Lock, here: Lock) -> Iterator[Drift]:
    """Yield how the images that are here differ from the locked ones, class by class."""
    moved = list(_moved_classes(locked, here))
    for message in moved[:NAMED]:
        yield Drift("data", message)
    if len(moved) > NAMED:
        yield Drift("data", f"and {len(moved) - NAMED} more classes")


def in_sentences(found: Iterable[Drift]) -> list[str]:
    """Return one line for each, `runners: …`."""
    return [f"{one.part}: {one.message}" for one in found]


def _moved_classes(locked: Lock, here: Lock) -> Iterator[str]:
    for split in sorted({*locked.splits, *here.splits}, reverse=True):
        before, now = locked.splits.get(split, {}), here.splits.get(split, {})
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                yield f"{split}/{visible(name)}: {_words(before.get(name), now.get(name))}"


def _words(before: LockedClass | None, now: LockedClass | None) -> str:
    if before is None or now is None:
        return "no longer there" if now is None else f"{now.images:,} images that were not locked"
    if before.images != now.images:
        return f"{before.images:,} images locked, {now.images:,} here"
    return f"{now.images:,} images, some of them others"


def _brief(name: str) -> str:
    head, mark, rest = name.rpartition("sha256:")
    return f"{head}{mark}{rest[:SHORT]}"
