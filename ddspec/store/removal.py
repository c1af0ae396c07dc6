"""Taking things out of a store: renamed away in one step, and removed when nobody sees them.

Killed at any moment, a removal leaves each thing where it was, or gone with its remains in the
folder `removed/`, which the next one empties.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ddspec.store.layout import Layout
from ddspec.store.manifest import MANIFEST

_OURS = re.compile(r"[0-9]+-[0-9a-f]{8}")
"""What `begin` calls its folders; the link of a stranger may lead to a folder of other things."""


@dataclass(frozen=True, slots=True)
class NotRemoved:
    """What could not be removed, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Removal:
    """One removal from a store; made by `begin`."""

    layout: Layout
    folder: Path
    """Where things go first; nobody else's."""

    def take(self, paths: Iterable[Path]) -> Iterator[NotRemoved]:
        """Rename things away; yield those that could not be. What is gone already is fine."""
        for number, path in enumerate(paths):
            try:
                self._take(path, self.folder / str(number))
            except FileNotFoundError:
                continue
            except OSError as error:
                yield NotRemoved(path, (error.strerror or str(error)).lower())

    def finish(self) -> None:
        """Remove what was renamed away, also by removals before this one that were killed."""
        for left in leftovers(self.layout):
            _erase(left)
        with suppress(OSError):  # another removal is at work
            self.layout.removed.rmdir()

    def _take(self, path: Path, target: Path) -> None:
        try:
            path.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # a part of the store lies on another disk: without its manifest, it is no object
            if not path.is_symlink():
                (path / MANIFEST).unlink(missing_ok=True)
            _erase(path)


def begin(layout: Layout) -> Removal:
    """Return a removal with a folder of its own."""
    folder = layout.removed / f"{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    return Removal(layout, folder)


def leftovers(layout: Layout) -> tuple[Path, ...]:
    """Return what removals have renamed away and not yet removed; nothing else that lies there."""
    if not layout.removed.is_dir():
        return ()
    return tuple(sorted(one for one in layout.removed.iterdir() if _OURS.fullmatch(one.name)))


def _erase(path: Path) -> None:
    """Remove a file, a link itself, or a folder with all in it; another removal may be faster."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
