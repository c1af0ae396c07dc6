"""A folder that appears whole or not at all, and never in the place of another."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddspec.disk import FULL, disk_full, sync
from ddspec.errors import DdspecError, Exit

TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR})
"""What the system says where something lies in the way of a folder that is moved."""


def require_free(target: Path) -> None:
    """Raise `DdspecError` where a new folder cannot appear at `target`.

    Exit 5 where something is there that is no empty folder; exit 6 where it would lie in what is no
    folder, or may not be written.
    """
    with _named(target):
        if target.is_symlink() or (target.exists() and not _is_empty(target)):
            raise _taken(target)
        beside = _existing(Path(os.path.abspath(target)))  # noqa: PTH100
        if not beside.is_dir():
            raise DdspecError(f"cannot write to {target}: {beside} is no folder", exit=Exit.UNABLE)
        if not os.access(beside, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside `target` to write to; it becomes `target` if the block succeeds.

    An empty folder may be there. What an earlier attempt left that was killed is removed. Raises
    `DdspecError`: exit 5 where something else is there, also if it came while the block ran; exit 6
    where the disk is full or cannot be written.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100  # a link at its end is not followed
    require_free(target)
    with _named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        made = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
    descriptor = os.open(made, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # tells others that somebody is at work
        with _named(target):
            yield made
            made.chmod(0o777 & ~_umask())
            _sync_all(made)
            made.rename(target)
            sync(target.parent)
    finally:
        os.close(descriptor)
        shutil.rmtree(made, ignore_errors=True)


def _prefix(target: Path) -> str:
    return f".{target.name.encode(errors='replace')[:100].decode(errors='ignore')}.export-"


def _sweep(target: Path) -> None:
    """Remove what was begun for the same target by a process that is gone."""
    for left in target.parent.iterdir():
        if not left.name.startswith(_prefix(target)) or left.is_symlink() or not left.is_dir():
            continue
        descriptor = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # somebody is at work in it, or its file system has no locks
        else:
            shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(descriptor)


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Turn what the system says into words for a person."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(_existing(target)) from error
        if error.errno in TAKEN:
            raise _taken(target) from error
        raise DdspecError(
            f"cannot write to {target}: {(error.strerror or str(error)).lower()}",
            exit=Exit.UNABLE,
        ) from error


def _existing(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.exists())


def _is_empty(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())


def _taken(target: Path) -> DdspecError:
    return DdspecError(
        f"{target} exists, and an export never overwrites",
        exit=Exit.REFUSED,
        hint="name another folder, or move that one away",
    )


def _umask() -> int:
    """Return which permissions new files do not get; asking for it means setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_all(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            sync(Path(place) / name)
        sync(Path(place))
