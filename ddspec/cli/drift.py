"""What is not as the lock of a document says, as far as a verb can tell without being asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddspec.cli.inputs import Opened
    from ddspec.plan.drift import Drift


def drift_of(opened: Opened, image: str | None = None) -> tuple[Drift, ...]:
    """Return how the runners here differ from the locked ones; nothing without a lock of them.

    `image` is the one that a run would use; without it no engine is asked.
    """
    if opened.lock is None or opened.lock.runners is None:
        return ()
    from ddspec.cli.lock import found_image, installed
    from ddspec.plan.drift import image_drift, runners_drift

    locked = opened.lock.runners
    found = list(runners_drift(locked, installed()))
    if image is not None and locked.image is not None:
        found += image_drift(locked.image, found_image(image))
    return tuple(found)
