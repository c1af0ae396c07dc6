"""Following a stage through its attempts, until it is made, has failed, or nobody works on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ddspec.canon import Digest
from ddspec.executors.base import Executor, JobState, Phase
from ddspec.run.logs import Reader
from ddspec.run.tries import Try, running, tries_of
from ddspec.store.claims import Claim
from ddspec.store.store import Store
from ddspec.wire.job import Event


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt is shown from here on."""

    one: Try
    number: int
    """1, 2, … of all attempts at the stage."""
    count: int


@dataclass(frozen=True, slots=True)
class Said:
    """A line that the runner printed."""

    line: str


@dataclass(frozen=True, slots=True)
class Went:
    """An attempt is over."""

    one: Try


@dataclass(frozen=True, slots=True)
class Waits:
    """Nobody works on the stage yet; a living run counts on it."""


End: TypeAlias = Literal["done", "failed", "stopped", "idle"]
Piece: TypeAlias = Begun | Event | Said | Went | Waits


def reader_of(
    store: Store, tries: Sequence[Try], at: int, place: Callable[[str], Executor[Any]]
) -> Reader:
    """Return what reads one of the attempts at a stage."""
    return Reader(store.layout, tries[at], _next(tries, at), place)


def _next(tries: Sequence[Try], at: int) -> int | None:
    """Return where the attempt behind one begins in the record of progress."""
    return tries[at + 1].events_from if at + 1 < len(tries) else None


@dataclass(slots=True)
class Following:
    """Goes through the attempts at one stage, from one of them on."""

    store: Store
    key: Digest
    place: Callable[[str], Executor[Any]]
    first: int
    """Number of the attempt to begin with: 0, 1, …"""
    reader: Reader | None = None
    waiting: bool = False
    _at: int = field(default=-1)

    def step(self) -> tuple[list[Piece], End | None]:
        """Return what is new since the last call, and how the stage ended, once it has."""
        end = self._end()  # first: what is told of the attempts is then at least as late
        pieces = list(self.pieces())
        if end is None and self.store.claims.read(self.key) is None:
            if not self.waiting:
                pieces.append(Waits())
            self.waiting = True
        else:
            self.waiting = False
        return pieces, end

    def pieces(self, most: int | None = None) -> Iterator[Piece]:
        """Yield what is new of the attempts since the last call, of the first `most` only."""
        tries = tries_of(self.store, self.key)
        while (at := max(self._at, self.first)) < len(tries[:most]):
            one = tries[at]
            if self.reader is None:
                self._at, self.reader = at, reader_of(self.store, tries, at, self.place)
                yield Begun(one, at + 1, len(tries))
            self.reader.one, self.reader.until = one, _next(tries, at)
            over = one.ended is not None
            yield from self.reader.events()
            yield from map(Said, self.reader.lines(final=over))
            if not over:
                return
            yield Went(one)
            self.reader, self._at = None, at + 1

    def _end(self) -> End | None:
        """Return how the stage ended; None while a run or a job stands behind it.

        The store is looked at last: what was published meanwhile is not taken for a failure.
        """
        claim = self.store.claims.read(self.key)
        if claim is not None:
            return self._end_of_claimed(claim)
        held = any(self.key in hold.keys for hold in self.store.holds.all())
        if self.store.layout.object(self.key).exists():
            return "done"
        if held:
            return None
        tries = tries_of(self.store, self.key)
        if not tries:
            return "idle"
        return "failed" if tries[-1].outcome == "failed" else "stopped"

    def _end_of_claimed(self, claim: Claim) -> End | None:
        """Return how a job ended whose run is gone; None where one of them lives."""
        if claim.owner.alive() or not claim.owner.here():
            return None
        state = self._state(running(claim))
        if not state.over:
            return None
        return "done" if state.phase is Phase.DONE else "stopped"

    def _state(self, one: Try) -> JobState:
        if one.handle is None:
            return JobState(Phase.LOST, reason="it never started")
        return self.place(one.executor).poll([one.handle])[one.handle]
