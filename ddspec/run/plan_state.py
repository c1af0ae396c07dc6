"""How far the stages of a plan are: made, at work, waiting, failed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Plan, Stage, own_label
from ddspec.plan.labels import folded
from ddspec.run.board import Board, board_of
from ddspec.run.logs import Reader
from ddspec.run.tries import Try, tries_of
from ddspec.store.store import Store

State: TypeAlias = Literal["done", "at work", "waits", "failed", "blocked", "not needed"]
STATES: tuple[State, ...] = ("done", "at work", "waits", "failed", "blocked", "not needed")
NEAR_THE_END = 1 << 22
"""Bytes of what a runner printed in which its last words are looked for."""
SHOWN_NEXT = 8
"""Labels of what comes next, folded."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The stages of one kind: how many there are in each state."""

    name: str
    counts: dict[State, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    def plain(self) -> dict[str, Json]:
        """Return it as JSON."""
        counts: dict[str, Json] = {state: self.counts[state] for state in STATES}
        return {"kind": self.name} | counts


@dataclass(frozen=True, slots=True)
class Failure:
    """A stage whose last attempt failed."""

    label: str
    key: Digest
    attempts: int
    reason: str
    said: str
    """The last line that its runner printed."""


@dataclass(frozen=True, slots=True)
class PlanState:
    """How far one document is."""

    file: str
    name: str
    locked: bool
    kinds: tuple[Kind, ...]
    failures: tuple[Failure, ...]
    next: tuple[str, ...]
    """What can begin now; labels that differ in a number are folded."""

    def count(self, state: State) -> int:
        """Return how many stages are in a state."""
        return sum(kind.counts[state] for kind in self.kinds)

    @property
    def total(self) -> int:
        """All stages."""
        return sum(kind.total for kind in self.kinds)

    def plain(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {
            "file": self.file,
            "name": self.name,
            "locked": self.locked,
            "stages": self.total,
            "kinds": [kind.plain() for kind in self.kinds],
            "failed": [
                {
                    "label": one.label,
                    "key": one.key,
                    "attempts": one.attempts,
                    "reason": one.reason,
                    "said": one.said,
                }
                for one in self.failures
            ],
            "next": list(self.next),
        }


def plan_state(file: str, plan: Plan, store: Store | None) -> PlanState:
    """Return how far a plan is; of one that is not locked, all waits."""
    if not plan.locked or store is None:
        rows: list[tuple[Stage, State]] = [(stage, "waits") for stage in plan]
        return PlanState(file, plan.name, plan.locked, _kinds(rows), (), ())
    board = board_of(plan.stages)
    board.present.update(key for key in board.stages if store.objects.has(key))
    claimed = store.claims.keys() & board.needed()
    failed = {one.key: one for one in _failures(store, board, claimed)}
    for key, one in failed.items():
        board.failing(key, one.reason)
    board.busy.update(claimed)
    states = {key: _state(board, key) for key in board.stages}
    return PlanState(
        file,
        plan.name,
        locked=True,
        kinds=_kinds([(stage, states[stage.key or ""]) for stage in plan]),
        failures=tuple(failed.values()),
        next=tuple(folded(stage.label for stage in board.ready(0.0)))[:SHOWN_NEXT],
    )


def _state(board: Board, key: Digest) -> State:
    if key in board.present:
        return "done"
    if key in board.busy:
        return "at work"
    if key in board.failed:
        return "failed"
    if key not in board.needed():
        return "not needed"
    return "waits" if board.blocker(key) is None else "blocked"


def _kinds(rows: Sequence[tuple[Stage, State]]) -> tuple[Kind, ...]:
    found: dict[str, dict[State, int]] = {}
    for stage, state in rows:
        name = own_label(stage.label).partition("/")[0]
        counts = found.setdefault(name, dict.fromkeys(STATES, 0))
        counts[state] += 1
    return tuple(Kind(name, counts) for name, counts in found.items())


def _failures(store: Store, board: Board, claimed: Collection[Digest]) -> Iterator[Failure]:
    for key in board.stages:
        if key not in board.needed() or key in claimed:
            continue
        tries = tries_of(store, key)
        if tries and tries[-1].outcome == "failed":
            last = tries[-1]
            said = _said(store, last)
            yield Failure(board.stages[key].label, key, len(tries), last.reason, said)


def _said(store: Store, last: Try) -> str:
    """Return the last line that a runner printed of a stage; empty where none is near the end."""
    reader = Reader(store.layout, last, None, _nowhere)
    with suppress(OSError):
        size = (store.layout.attempts / last.attempt / "stderr").lstat().st_size
        reader.text_at = max(0, size - NEAR_THE_END)
    said = ""
    for line in reader.lines(final=True):
        said = line.strip() or said
    return said


def _nowhere(name: str) -> NoReturn:
    raise AssertionError(f"what is over is read from its files, and not asked of {name}")
