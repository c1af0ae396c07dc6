"""What a stage printed and recorded in one attempt, as it grows: of files, or of its executor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ddspec.canon import Digest
from ddspec.executors.base import Executor, LogChunk
from ddspec.run.outputs import read_regular
from ddspec.run.progress import read_events
from ddspec.run.reach import LARGEST_JOB
from ddspec.run.tries import Try
from ddspec.run.words import Ear
from ddspec.store.layout import Layout
from ddspec.wire.job import Event

PIECE = 1 << 20
"""Bytes that are read at once."""
LONGEST = 1 << 20
"""Characters of a line without an end that are held back; then it is shown in pieces."""


@dataclass(slots=True)
class Reader:
    """Reads one attempt at a stage, from where it stopped."""

    layout: Layout
    one: Try
    until: int | None
    """Where the next attempt begins in the record of progress; None for the last one."""
    place: Callable[[str], Executor[Any]]
    """Makes the executor of a name."""
    text_at: int = 0
    """Where what it printed is read from next, in bytes."""
    _events_at: int = -1
    _rest: str = ""
    _ear: Ear | None = field(default=None)

    def events(self) -> list[Event]:
        """Return what the stage recorded of its progress since the last call."""
        path, found = self.layout.events(self.one.key), list[Event]()
        at = (self.one.events_from or 0) if self._events_at < 0 else self._events_at
        while self.until is None or at < self.until:
            events, after = read_events(path, at, self.until)
            if after == at:
                break
            found += events
            at = after
        self._events_at = at
        return found

    def lines(self, *, final: bool) -> Iterator[str]:
        """Yield the whole lines that were printed since the last call, of this stage or of none.

        `final`: nothing comes any more, so a line without an end is whole too. Raises Unreachable.
        """
        return filter(self._hears, self._lines(final=final))

    def _lines(self, *, final: bool) -> Iterator[str]:
        while (chunk := self._chunk()).offset > self.text_at:
            self.text_at = chunk.offset
            text = (self._rest + chunk.text).replace("\r\n", "\n").replace("\r", "\n")
            whole, _, self._rest = text.rpartition("\n")
            if whole or text.startswith("\n"):
                yield from whole.split("\n")
            if len(self._rest) > LONGEST:
                yield self._taken()
        if final and self._rest:
            yield self._taken()

    def _taken(self) -> str:
        rest, self._rest = self._rest, ""
        return rest

    def _chunk(self) -> LogChunk:
        path = self.layout.attempts / self.one.attempt / "stderr"
        try:
            content = read_regular(path, offset=self.text_at, limit=PIECE)
        except OSError:  # in a container that runs, its engine has it
            if self.one.handle is None or self.one.ended is not None:
                return LogChunk("", self.text_at)
            return self.place(self.one.executor).logs(self.one.handle, self.text_at)
        return LogChunk.of(content, self.text_at)

    def _hears(self, line: str) -> bool:
        if self._ear is None:
            labels = _labels(self.layout, self.one.attempt)
            self._ear = Ear(labels.get(self.one.key, self.one.label), frozenset(labels.values()))
        return self._ear.hears(line)


def _labels(layout: Layout, attempt: str) -> dict[Digest, str]:
    """Return the label of each stage of a job, as its runner knows them."""
    try:
        path = layout.attempts / attempt / "job" / "job.json"
        stages = json.loads(read_regular(path, limit=LARGEST_JOB))["stages"]
        return {str(stage["key"]): str(stage["label"]) for stage in stages}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
