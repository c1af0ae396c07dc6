"""The journal: one file for each attempt at a key, written when the attempt is over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec.disk import full_disk_named, write_whole
from ddspec.store.layout import Layout

ENTRY_FORMAT = "ddspec.attempt/1"


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one attempt."""

    key: Digest
    label: str
    kind: str
    attempt: str
    executor: str
    host: str
    started: float
    """Seconds since 1970, as all times here."""
    ended: float
    exit: int | None
    """Exit code of the runner; None where it left none."""
    outcome: str
    """`published`, `failed`, `interrupted`, or `again` for what is tried again."""
    reason: str = ""
    engine: Mapping[str, JsonValue] = field(default_factory=dict)
    """Versions, device and threads, as the result tells them."""
    place: Mapping[str, JsonValue] = field(default_factory=dict)
    """Image, engine and GPUs, as the executor tells them; empty for a process of this machine."""
    counted: Mapping[str, JsonValue] = field(default_factory=dict)
    """What the planner counted of the work, and the seconds that it took; for forecasts."""
    events_from: int | None = None
    """Where the attempt begins in the key's events.jsonl, in bytes; None where nobody noted it."""


FIELDS = frozenset(one.name for one in fields(Entry))
"""Others are of a later version, and left out."""


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of one store."""

    layout: Layout

    def record(self, entry: Entry) -> None:
        """Write an entry; a second one for the same attempt replaces the first."""
        folder = self.layout.journal(entry.key)
        content = json.dumps({"format": ENTRY_FORMAT, **asdict(entry)}, indent=2, sort_keys=True)
        with full_disk_named(self.layout.home):
            folder.mkdir(exist_ok=True)
            write_whole(folder / f"{entry.attempt}.json", f"{content}\n".encode())

    def entries(self, key: Digest) -> tuple[Entry, ...]:
        """Return all attempts at a key, oldest first."""
        files = self.layout.journal(key).glob("*.json")
        plains = [json.loads(path.read_bytes()) for path in files if path.name[0] != "."]
        entries = [
            Entry(**{name: value for name, value in plain.items() if name in FIELDS})
            for plain in plains
        ]
        return tuple(sorted(entries, key=lambda entry: (entry.started, entry.attempt)))
