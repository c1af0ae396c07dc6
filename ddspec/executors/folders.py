"""The folders of a container's job: laid out, given to its user, taken back."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ddspec.disk import write_whole
from ddspec.errors import DdspecError, Exit

PROBE = "probe"
"""In the folder job/: what the container has to see to see our files."""


def lay_out(root: Path, document: bytes, folders: Iterable[Path]) -> None:
    """Create the folders of an attempt and write its job; what is there already stays.

    Everyone may read the job: its user need not be the one who writes it.
    """
    job = root / "job"
    for folder in (job, root / "output", *folders):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(job / "job.json", document)
    job.chmod(0o755)
    (job / "job.json").chmod(0o644)


def give(folders: Iterable[Path], owner: tuple[int, int]) -> None:
    """Give folders and all in them to a user and group; follows no symbolic link.

    Raises DdspecError (exit 6) where the file system does not let us.
    """
    for folder in folders:
        try:
            _give(folder, owner)
        except PermissionError as error:
            raise DdspecError(
                f"cannot give {folder} to the user of the container: {error.strerror}",
                exit=Exit.UNABLE,
                hint="run as an ordinary user, or keep the store on a local disk",
            ) from error


def _give(folder: Path, owner: tuple[int, int]) -> None:
    """Give the folder itself last: it then says that all in it is given."""
    with suppress(FileNotFoundError):
        for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
            for name in (*folders, *files):
                with suppress(FileNotFoundError):
                    _own(name, owner, descriptor)
        _own(str(folder), owner, None)


def _own(name: str, owner: tuple[int, int], folder: int | None) -> None:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if (status.st_uid, status.st_gid) != owner:
        os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)


def make_cache(folder: Path, owner: tuple[int, int] | None) -> None:
    """Make what compilers keep, and its owner's where one is named; jobs before may have closed it.

    Caches grow large, so one is gone through once: where a store was copied, or is new.
    """
    folder.mkdir(parents=True, exist_ok=True)
    status = folder.lstat()
    if status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        folder.chmod(0o755)
    if owner is not None and status.st_uid != owner[0]:
        give([folder], owner)


def close_to_others(folders: Iterable[Path]) -> None:
    """Let nobody but us and our group into folders of ours.

    What a job makes there is its user's, who may be us: others must not run it.
    """
    for folder in folders:
        status = folder.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid == os.geteuid() and mode & stat.S_IRWXO:
            folder.chmod(mode & ~stat.S_IRWXO)


def require_readable(folders: Iterable[Path]) -> None:
    """Refuse inputs that only root may read, for no job runs as root (DdspecError, exit 6)."""
    for folder in folders:
        with suppress(FileNotFoundError):  # the engine will say that it is not there
            if folder.stat().st_mode & 0o005 != 0o005:
                raise DdspecError(
                    f"only root can read {folder}, and containers do not run as root",
                    exit=Exit.UNABLE,
                    hint=f"chmod -R go+rX {folder.parent.parent}",
                )
