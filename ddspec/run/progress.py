"""Reading the record of a running stage while it grows."""

from __future__ import annotations

from pathlib import Path

from ddspec.wire.job import Event


def size_of(path: Path) -> int:
    """Return the bytes of a record, 0 where there is none yet."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read_events(path: Path, offset: int) -> tuple[tuple[Event, ...], int]:
    """Return the events from a byte offset on, and where to go on reading.

    A last line without an end is left for the next time. A line that cannot be read is left out:
    a runner that was killed inside a line leaves one, and the next attempt writes on behind it.
    """
    if size_of(path) <= offset:
        return (), offset
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    events = [_event(line) for line in whole.splitlines() if line.strip()]
    return tuple(event for event in events if event is not None), offset + len(whole)


def _event(line: bytes) -> Event | None:
    try:
        return Event.model_validate_json(line)
    except ValueError:
        return None
