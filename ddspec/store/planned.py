"""What runs were asked to do: one small file a run, by the name of its experiment.

The store knows neither plans nor what such a file says; it keeps the last ones of each name.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ddspec.canon import Digest
from ddspec.disk import write_whole
from ddspec.store.layout import Layout

KEPT = 20
"""Records of one name."""
LARGEST = 1 << 26
"""Bytes of a record that is still read; of 1,000 variants it has half a million."""

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{16}\.json")


@dataclass(frozen=True, slots=True)
class Planned:
    """The records of one store."""

    layout: Layout

    def record(self, name: str, content: bytes, *, mark: Digest, time: float) -> None:
        """Keep what a run was asked to do, and forget the oldest beyond `KEPT`.

        Nothing is written where the newest record has the same `mark`. Raises OSError.
        """
        folder = self.layout.planned(name)
        known = self._files(folder)
        if known and known[-1].endswith(f"-{mark[:16]}.json"):
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"{_stamp(time)}-{mark[:16]}.json", content)
        for old in known[: max(0, len(known) + 1 - KEPT)]:
            (folder / old).unlink(missing_ok=True)

    def has(self, name: str, mark: Digest) -> bool:
        """Return whether the newest record of a name has this mark."""
        known = self._files(self.layout.planned(name))
        return bool(known) and known[-1].endswith(f"-{mark[:16]}.json")

    def contents(self, name: str) -> Iterator[bytes]:
        """Yield the records of a name, newest first; what cannot be read is left out."""
        folder = self.layout.planned(name)
        for file in reversed(self._files(folder)[-KEPT:]):
            content = _read(folder / file)
            if content is not None:
                yield content

    def _files(self, folder: Path) -> list[str]:
        """Return the names of a folder's records, oldest first."""
        try:
            return sorted(path.name for path in folder.iterdir() if _NAME.fullmatch(path.name))
        except OSError:  # nothing was run under this name
            return []


def _stamp(time: float) -> str:
    """Return a time as records are named by it, so that they sort as they were made."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z"


def _read(path: Path) -> bytes | None:
    """Return a regular file of sensible size, whatever somebody put in its place."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            content = file.read(LARGEST + 1)
    except OSError:
        return None
    return content if len(content) <= LARGEST else None
