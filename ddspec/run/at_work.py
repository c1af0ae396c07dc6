"""Who works on what in a store, how far, and what becomes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddspec.errors import DdspecError
from ddspec.executors.base import Executor, Handle, JobState, Phase
from ddspec.executors.whereabouts import Whereabouts, whereabouts
from ddspec.host import memory_of_groups
from ddspec.run.outputs import read_regular
from ddspec.run.progress import last_event
from ddspec.run.reach import LARGEST_JOB
from ddspec.store.claims import Claim
from ddspec.store.store import Store
from ddspec.wire.job import Event


@dataclass(frozen=True, slots=True)
class AtWork:
    """A stage that somebody claims, and what is known of it."""

    claim: Claim
    state: JobState | None
    """As its executor says; None before there is a job, and of executors unknown here."""
    where: Whereabouts
    last: Event | None
    """What its runner recorded last in this attempt; None before it began with the stage."""
    sign: float | None
    """When that was, in seconds since 1970."""
    memory: int | None
    """Resident bytes of its job, all its stages together."""
    device: str
    """`cpu` or `cuda`; empty where the job is not written down yet."""

    @property
    def phase(self) -> str:
        """The state in a word."""
        if self.state is not None:
            return self.state.phase.value
        return "starting" if self.claim.handle is None else "unknown"

    @property
    def orphaned(self) -> bool:
        """Whether the run that looked after it is certainly gone."""
        return self.claim.owner.here() and not self.claim.owner.alive()

    @property
    def fate(self) -> str:
        """What the next run does with it, where something is amiss; else empty."""
        if self.state is not None and self.state.phase is Phase.UNREACHABLE:
            return f"{self.state.reason}: `ddspec run` waits for it, `--steal` takes it"
        if not self.orphaned:
            return ""
        if self.claim.handle is None:
            return "its run died before it began: the next `ddspec run` starts it"
        if self.state is None or not self.state.over:
            return "its run is gone: the next `ddspec run` takes it over"
        if self.state.phase is Phase.DONE:
            return "it is over and its run is gone: the next `ddspec run` takes what it made"
        return f"its run is gone, {self.state.reason}: the next `ddspec run` goes on from there"


def at_work(store: Store, place: Callable[[str], Executor[Any]]) -> tuple[AtWork, ...]:
    """Return all that is claimed in a store, the earliest first."""
    claims = sorted(store.claims.all(), key=_turn)
    states = dict(_states(claims, place))
    memory = memory_of_groups() if claims else {}
    devices = {attempt: _device(store, attempt) for attempt in {one.attempt for one in claims}}
    return tuple(_looked_at(store, claim, states, memory, devices) for claim in claims)


def _turn(claim: Claim) -> tuple[int, str, list[tuple[int, str]]]:
    """Return by what claims are ordered: the second, the job, and labels by their numbers."""
    parts = re.split(r"(\d+)", claim.label, flags=re.ASCII)
    numbered = [(len(part), part) if part.isdecimal() else (-1, part) for part in parts]
    return int(claim.taken), claim.attempt, numbered


def _states(
    claims: list[Claim], place: Callable[[str], Executor[Any]]
) -> Iterator[tuple[Handle, JobState]]:
    for name in sorted({claim.executor for claim in claims}):
        handles = [claim.handle for claim in claims if claim.executor == name and claim.handle]
        if not handles:
            continue
        try:
            yield from place(name).poll(tuple(dict.fromkeys(handles))).items()
        except DdspecError:  # an executor, or a handle, of a later version
            continue


def _looked_at(
    store: Store,
    claim: Claim,
    states: Mapping[Handle, JobState],
    memory: Mapping[int, int],
    devices: Mapping[str, str],
) -> AtWork:
    events, where = store.layout.events(claim.key), whereabouts(claim.handle)
    last = last_event(events, claim.events_from)
    lives = where.process is not None and where.process.group_alive()
    return AtWork(
        claim=claim,
        state=states.get(claim.handle or ""),
        where=where,
        last=last,
        sign=_changed(events) if last is not None else None,
        memory=memory.get(where.process.pid) if where.process is not None and lives else None,
        device=devices[claim.attempt],
    )


def _changed(path: Path) -> float | None:
    try:
        return path.lstat().st_mtime
    except OSError:
        return None


def _device(store: Store, attempt: str) -> str:
    try:
        path = store.layout.attempts / attempt / "job" / "job.json"
        device = json.loads(read_regular(path, limit=LARGEST_JOB))["device"]
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return device if device in ("cpu", "cuda") else ""
