"""Writing to disk: whole or not at all, and a clear message when it is full."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddspec.errors import DdspecError, Exit

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
FAILED = frozenset({errno.EROFS, errno.EIO, errno.ESTALE})
"""A file system that was made read-only (often by the kernel, after an error), fails, or is gone.
"""


def write_whole(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Replace a file's content in one step, so that no reader sees half of it.

    `durable` also makes it survive a loss of power. Nothing is left behind when it fails.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def create_whole(path: Path, content: bytes) -> bool:
    """Create a file with its content in one step; return False, and do nothing, if it exists."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        partial.write_bytes(content)
        path.hardlink_to(partial)
    except FileExistsError:
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Return the bytes that may still be written to the file system of an existing path."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def disk_full(path: Path) -> DdspecError:
    """Return the error that says a file system is full; `path` exists."""
    return DdspecError(
        f"disk full: cannot write to {path} ({free_bytes(path):,} bytes free)",
        exit=Exit.UNABLE,
        hint="free some space and run again: finished stages and checkpoints are kept",
    )


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Turn "no space left" into an error that names the path and what is free; `path` exists."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(path) from error
        raise
