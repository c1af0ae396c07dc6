"""File locks: held by a process, gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(path: Path, timeout_s: float = -1.0) -> Iterator[bool]:
    """Hold a lock for the block; yield False when it could not be had in time.

    A negative timeout waits for ever, 0 tries once.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
