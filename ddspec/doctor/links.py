"""Symbolic links in the data that lead out of it: a container sees nothing behind them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

LOOK_S = 3.0
"""A dataset may hold millions of files; what was not reached is said."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a walk through a folder met."""

    entries: int
    leaving: tuple[Path, ...]
    """Links whose target is outside or nowhere, and absolute ones: inside, `/data` is the root."""
    whole: bool
    """Whether everything was reached in time."""


def leaving_links(root: Path, limit_s: float = LOOK_S) -> Looked:
    """Walk through a folder without following links; folders that cannot be read are passed over.

    Raises OSError where `root` itself cannot be resolved.
    """
    end, real = time.monotonic() + limit_s, os.path.realpath(root, strict=True)
    entries, leaving = 0, []
    for folder, names, files in os.walk(real):
        for name in (*names, *files):
            entries += 1
            path = os.path.join(folder, name)  # noqa: PTH118  # a Path each is ten times slower
            if os.path.islink(path) and not _inside(path, real):  # noqa: PTH114
                leaving.append(Path(path))
        if time.monotonic() > end:
            return Looked(entries, tuple(leaving), whole=False)
    return Looked(entries, tuple(leaving), whole=True)


def _inside(path: str, root: str) -> bool:
    if os.path.isabs(os.readlink(path)):  # noqa: PTH115, PTH117
        return False
    target = os.path.realpath(path)
    return os.path.exists(target) and os.path.commonpath([target, root]) == root  # noqa: PTH110
