"""Reading the record of a running stage while it grows."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ddspec.run.outputs import believable, read_regular
from ddspec.wire.job import Event

PIECE = 1 << 20
"""Bytes that are read at one look, and more than any line has."""
TAIL = 1 << 16
"""Bytes at the end of a record in which its last event is looked for."""


def size_of(path: Path) -> int:
    """Return the bytes of a record, 0 where there is none yet, or something else in its place."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, PermissionError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def read_events(path: Path, offset: int, until: int | None = None) -> tuple[tuple[Event, ...], int]:
    """Return the events from a byte offset on, and where to go on reading; none from `until` on.

    A last line without an end is left for the next time. A line that cannot be read is left out:
    a runner that was killed inside a line leaves one, and the next attempt writes on behind it.
    The job may do with its record what it likes: what is no plain file has no events.
    """
    if size_of(path) <= offset:
        return (), offset
    try:
        limit = PIECE if until is None else max(0, min(PIECE, until - offset))
        content = read_regular(path, offset=offset, limit=limit)
    except (FileNotFoundError, PermissionError):
        return (), offset
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):  # a link, a pipe, since we looked
            raise
        return (), offset
    whole = content[: content.rfind(b"\n") + 1]
    if not whole and len(content) == PIECE:
        return (), offset + PIECE
    events = [_event(line) for line in whole.splitlines() if line.strip()]
    return tuple(event for event in events if event is not None), offset + len(whole)


def _event(line: bytes) -> Event | None:
    try:
        event = Event.model_validate_json(line)
    except ValueError:
        return None
    return event if believable(event) else None


def last_event(path: Path, begin: int) -> Event | None:
    """Return the last event of an attempt that begins at a byte offset; None before the first."""
    events, _ = read_events(path, max(begin, size_of(path) - TAIL))
    return events[-1] if events else None
