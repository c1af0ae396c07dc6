"""Folders that a job wrote become the caller's again, and harmless.

A runner works on data of others, and may have been taken over by them. Until its folders are taken
back, nobody on this side opens what is in them but with care; afterwards there is nothing in them
that could lead elsewhere, be run as the caller by others, or keep the caller from removing it.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ddspec.errors import DdspecError, Exit

DEEPEST = 16
"""Folders within folders; deeper ones are brought up, for nobody could walk through thousands."""
MOST = 0o755
"""Nobody else writes, and no program runs as its owner: chown clears only some of these bits."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def take_back(
    folders: Iterable[Path], owner: tuple[int, int] | None, *, plain: bool = False
) -> None:
    """Take folders and all in them; nothing writes into them any more.

    `owner` gets everything; None where it is the caller's already. `plain` removes what is neither
    a file nor a folder: symbolic links, pipes, sockets, devices. What is not there is left out.
    Raises DdspecError (exit 6) where the file system does not let us.
    """
    for folder in folders:
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                _Taking(owner, plain=plain).all_of(folder)
        except PermissionError as error:
            raise DdspecError(
                f"cannot take {folder} back from the user of the container: {error.strerror}",
                exit=Exit.UNABLE,
                hint="run as an ordinary user, or keep the store on a local disk",
            ) from error


@dataclass(slots=True)
class _Taking:
    """From the top down: who has a folder can no more be surprised by what is done in it."""

    owner: tuple[int, int] | None
    plain: bool
    brought_up: list[str] = field(default_factory=list)

    def all_of(self, folder: Path) -> None:
        top = self._opened(str(folder), None)
        try:
            self._inside(top, top, 1)
            while self.brought_up:
                self._below(self.brought_up.pop(), top, top, 1)
        finally:
            os.close(top)

    def _inside(self, folder: int, top: int, depth: int) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    self._one(entry.name, folder, top, depth)

    def _one(self, name: str, folder: int, top: int, depth: int) -> None:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            self._below(name, folder, top, depth)
        elif stat.S_ISREG(status.st_mode):
            self._own(name, folder, status)
            _set_mode(name, folder, status, stat.S_IRUSR | stat.S_IWUSR)
        elif self.plain:
            os.unlink(name, dir_fd=folder)
        else:
            self._own(name, folder, status)

    def _below(self, name: str, folder: int, top: int, depth: int) -> None:
        inner = self._opened(name, folder)
        try:
            if depth <= DEEPEST:
                self._inside(inner, top, depth + 1)
                return
        finally:
            os.close(inner)
        up = f".deep-{secrets.token_hex(8)}"
        os.rename(name, up, src_dir_fd=folder, dst_dir_fd=top)
        self.brought_up.append(up)

    def _opened(self, name: str, folder: int | None) -> int:
        """Take a folder itself and open it."""
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(name)
        self._own(name, folder, status)
        _set_mode(name, folder, status, stat.S_IRWXU)
        return os.open(name, FOLDER, dir_fd=folder)

    def _own(self, name: str, folder: int | None, status: os.stat_result) -> None:
        if self.owner not in (None, (status.st_uid, status.st_gid)):
            os.chown(name, *self.owner, dir_fd=folder, follow_symlinks=False)


def _set_mode(name: str, folder: int | None, status: os.stat_result, least: int) -> None:
    before = stat.S_IMODE(status.st_mode)
    after = (before | least) & MOST
    if after != before:
        os.chmod(name, after, dir_fd=folder)
