"""What all parts of a run share: where things are, how it was asked to go, and its open jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec.errors import DdspecError
from ddspec.executors.base import Executor, Handle
from ddspec.host import ProcessId, this_process
from ddspec.plan.ir import Stage
from ddspec.run.board import Board
from ddspec.run.events import Sink
from ddspec.run.progress import size_of
from ddspec.run.silence import Silence
from ddspec.store.claims import Claim
from ddspec.store.store import Store
from ddspec.wire.job import Engine

GLANCE = 32
"""Stages of a job that are looked at together."""


@dataclass(frozen=True, slots=True)
class Orders:
    """How a run goes, apart from what it makes."""

    jobs: int = 1
    """Most jobs of this run at one time."""
    device: Literal["cpu", "cuda"] = "cpu"
    steal: bool = False
    """Take over what an unreachable owner holds."""
    retries: int = 3
    """Times a stage is started again after a failure that may pass."""
    poll_s: float = 0.03
    pause_s: float = 0.5
    """Before the first retry; doubles with each."""
    patience_s: float = 60.0
    """How long a run waits for a place that holds its jobs and does not answer."""
    engine: Engine | None = None
    """How networks that judge are trained; None leaves it to the runner."""
    counted: Mapping[Digest, Mapping[str, JsonValue]] = field(default_factory=dict)
    """What the planner counted of each work, for the journal."""


@dataclass(slots=True)
class Tracked:
    """A job that this run watches: its own, adopted, or another run's."""

    attempt: str
    executor: str
    owner: ProcessId
    handle: Handle | None
    stages: dict[Digest, Stage] = field(default_factory=dict)
    """Those that this run waits for and that are not settled."""
    offsets: dict[Digest, int] = field(default_factory=dict)
    """How far each record of progress is read, in bytes."""
    begun: set[Digest] = field(default_factory=set)
    """Stages that the runner has told something of in this attempt."""
    last: Digest | None = None
    """The stage that the runner told something of last."""
    turn: int = 0
    """Where the next look at stages that tell nothing begins."""
    started: float = 0.0
    """Seconds since 1970."""
    seen: bool = False
    """Whether this run saw the job alive, or started it."""
    cancelled: bool = False
    announced: bool = False
    """Whether the sink knows that we wait for it."""
    place: Mapping[str, JsonValue] = field(default_factory=dict)
    """Where it ran, in the executor's words, once it is over."""

    def add(self, stage: Stage, claim: Claim) -> None:
        """Watch one more stage of the same job."""
        self.stages[claim.key] = stage
        self.offsets[claim.key] = claim.events_from

    def watched(self) -> tuple[Digest, ...]:
        """Return the stages to look at now: where the job is, and of a long job others in turn.

        A job works through its stages one by one, as a rule in the order in which they are here,
        and looking at hundreds of silent ones many times a second would keep a core busy.
        """
        keys = tuple(self.stages)
        if len(keys) <= 2 * GLANCE:
            return keys
        here = keys.index(self.last) if self.last in self.stages else 0
        begin = self.turn if self.turn < len(keys) else 0
        self.turn = begin + GLANCE
        near, others = keys[here : here + GLANCE], keys[begin : self.turn]
        return tuple(dict.fromkeys([*near, *others]))


@dataclass(slots=True)
class Desk:
    """One run at work."""

    store: Store
    executor: Executor[Any]
    sink: Sink
    orders: Orders
    board: Board
    others: Callable[[str], Executor[Any]] | None = None
    """Makes the executor of a name; None where jobs of others cannot be asked for."""
    me: ProcessId = field(default_factory=this_process)
    jobs: dict[str, Tracked] = field(default_factory=dict)
    """Attempt to job."""
    deferred: set[Digest] = field(default_factory=set)
    """Stages that wait for room, of which the sink knows."""
    unheard: dict[Digest, int] = field(default_factory=dict)
    """How often the request to start a stage was not answered, and came to nothing."""
    silence: Silence = field(default_factory=Silence)
    _places: dict[str, Executor[Any] | None] = field(default_factory=dict)

    def place(self, name: str) -> Executor[Any] | None:
        """Return the executor of a name; None where it cannot be had here."""
        if name == self.executor.name:
            return self.executor
        if name not in self._places:
            self._places[name] = _made(self.others, name)
        return self._places[name]

    def own(self) -> tuple[Tracked, ...]:
        """Return the jobs that this run looks after."""
        return tuple(job for job in self.jobs.values() if job.owner == self.me)

    def track(self, stage: Stage, claim: Claim) -> Tracked:
        """Watch the job that claims a stage."""
        job = self.jobs.setdefault(
            claim.attempt,
            Tracked(claim.attempt, claim.executor, claim.owner, claim.handle, started=claim.taken),
        )
        job.add(stage, claim)
        self.board.busy.add(claim.key)
        return job

    def release(self, job: Tracked, keys: Iterable[Digest]) -> None:
        """Stop watching some stages of a job, and the job when none is left."""
        for key in tuple(keys):
            job.stages.pop(key, None)
            self.board.busy.discard(key)
        if not job.stages:
            self.jobs.pop(job.attempt, None)

    def events_end(self, key: Digest) -> int:
        """Return where the next attempt begins in a key's record of progress, in bytes."""
        return size_of(self.store.layout.events(key))


def _made(others: Callable[[str], Executor[Any]] | None, name: str) -> Executor[Any] | None:
    try:
        return None if others is None else others(name)
    except DdspecError:  # a claim that a later version of the tool left
        return None
