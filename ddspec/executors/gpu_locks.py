"""Who holds a GPU: local jobs, by a lock that ends with the last of their processes.

A lock by `flock` belongs to an open file, not to a process: a job inherits the open file, and the
lock is gone exactly when no process has it open any more, however the job ended.

The files lie in one folder that all users of the machine share. Anybody may write there, so what
is found in it is not trusted: no symbolic link is followed, nothing is ever written into a file,
and what is not an ordinary file with one name is refused. Another user can still hold a lock for
ever, as they can occupy the GPU itself. The folder is under /tmp whatever TMPDIR says, for locks in
two places exclude nobody; a service with a private /tmp is therefore not seen.

A container does not hold these locks, and a local job does not ask an engine for its containers:
whoever starts a container looks for local jobs, but not the other way round.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import NoRoom

FOLDER = Path("/tmp/ddspec-gpus")
SHARED_MODE = stat.S_ISVTX | 0o777
"""Anybody may add a file; only its owner, and that of the folder, may remove it."""
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def lock(wanted: Sequence[str], folder: Path = FOLDER) -> tuple[str, int]:
    """Take the first GPU that is free; return its UUID and an open file that holds it.

    The caller closes the file once the job has it. Raises NoRoom where all are taken, DdspecError
    (exit 6) where the folder, or a file in it, is not what it should be.
    """
    with _opened(folder) as shared:
        for uuid in wanted:
            file = _try_lock(shared, uuid, folder)
            if file is not None:
                return uuid, file
    raise NoRoom(f"every GPU is taken by a local job: {', '.join(wanted)}")


def locked(uuid: str, folder: Path = FOLDER) -> bool:
    """Return whether a local job holds a GPU; raises DdspecError as `lock` does."""
    with _opened(folder) as shared:
        file = _open(shared, uuid, folder)
    try:
        return not _flock(file, fcntl.LOCK_SH)
    finally:
        os.close(file)


def _try_lock(shared: int, uuid: str, folder: Path) -> int | None:
    """Return an open file that holds a GPU; None where another job does."""
    while True:
        file = _open(shared, uuid, folder)
        if not _flock(file, fcntl.LOCK_EX):
            os.close(file)
            return None
        if _is_at(shared, uuid, file):
            return file
        os.close(file)  # somebody tidied up between our opening and our locking


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Open the folder of all users, and make it where it is missing."""
    try:
        with suppress(FileExistsError), _no_umask():
            folder.mkdir(SHARED_MODE)
        shared = os.open(folder, READ | os.O_DIRECTORY)
    except OSError as error:
        raise _refused(folder, str(error.strerror)) from error
    try:
        if stat.S_IMODE(os.fstat(shared).st_mode) != SHARED_MODE:
            raise _refused(folder, "not a folder for everybody")
        yield shared
    finally:
        os.close(shared)


def _open(shared: int, uuid: str, folder: Path) -> int:
    """Open the file of a GPU for reading, and make it where it is missing."""
    while True:
        try:
            file = os.open(uuid, READ | os.O_NONBLOCK, dir_fd=shared)
        except FileNotFoundError:
            # Exclusively: O_CREAT on another user's file fails where fs.protected_regular is set.
            with suppress(FileExistsError), _no_umask():
                os.close(os.open(uuid, READ | os.O_CREAT | os.O_EXCL, 0o444, dir_fd=shared))
            continue
        except OSError as error:
            raise _refused(folder / uuid, str(error.strerror)) from error
        status = os.fstat(file)
        # A second name could be one of a file that other programs lock.
        if stat.S_ISREG(status.st_mode) and status.st_nlink <= 1:
            return file
        os.close(file)
        raise _refused(folder / uuid, "not an ordinary file")


def _flock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(shared: int, uuid: str, file: int) -> bool:
    try:
        there = os.stat(uuid, dir_fd=shared, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(file))


@contextmanager
def _no_umask() -> Iterator[None]:
    """Let what is made be for all users from its first moment on."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def _refused(path: Path, why: str) -> DdspecError:
    return DdspecError(
        f"cannot use {path}, which says which jobs have a GPU: {why}",
        exit=Exit.UNABLE,
        hint="see whose it is, and remove it while no job runs: ddspec makes it anew",
    )
