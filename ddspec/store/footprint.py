"""How much lies in a folder, without reading or following anything."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes and files below a path, and when any of it was last changed."""

    bytes: int
    files: int
    """Without folders."""
    modified: float
    """Seconds since 1970."""


def footprint(path: str) -> Footprint:
    """Return what a file, a link, or all in a folder takes; FileNotFoundError where nothing is.

    Links are not followed. Folders that cannot be read count as empty.
    """
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        return Footprint(status.st_size, 1, status.st_mtime)
    size, files, modified = 0, 0, status.st_mtime
    waiting = [path]
    while waiting:
        for entry in _entries(waiting.pop()):
            try:
                look = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # somebody works in it
                continue
            modified = max(modified, look.st_mtime)
            if stat.S_ISDIR(look.st_mode):
                waiting.append(entry.path)
            else:
                size, files = size + look.st_size, files + 1
    return Footprint(size, files, modified)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (PermissionError, FileNotFoundError):
        return []
