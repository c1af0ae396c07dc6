"""What happens during a run, as values; the console and the command line consume them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import JsonValue

from ddspec.canon import Digest


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first event: what will be worked on; the rest is in the store or not needed."""

    needed: tuple[str, ...]
    """Labels, upstream first."""
    in_store: int
    not_needed: int


@dataclass(frozen=True, slots=True)
class StageEvent:
    """Base of what happens to one stage."""

    label: str
    key: Digest


@dataclass(frozen=True, slots=True)
class ObjectDamaged(StageEvent):
    """The stored output is damaged; it was set aside and will be made again."""

    problem: str


@dataclass(frozen=True, slots=True)
class StageSubmitted(StageEvent):
    """The stage is in a job that was started; a job works through its stages one by one."""

    attempt: str


@dataclass(frozen=True, slots=True)
class StageAdopted(StageEvent):
    """A job that an earlier, dead run had started is taken over."""

    attempt: str


@dataclass(frozen=True, slots=True)
class StageWaiting(StageEvent):
    """Somebody else works on the stage: this run waits for it."""

    owner: str
    """Who, in words."""
    reachable: bool
    """False when it cannot be seen whether the job lives: only `--steal` ends the wait."""


@dataclass(frozen=True, slots=True)
class StageDeferred(StageEvent):
    """The stage cannot start for now; told once until it does."""

    reason: str


@dataclass(frozen=True, slots=True)
class PlaceSilent:
    """The place that holds our jobs does not answer; the run waits for it."""

    reason: str
    patience_s: float
    """How long, before the run ends."""


@dataclass(frozen=True, slots=True)
class PlaceBack:
    """The place answers again."""


@dataclass(frozen=True, slots=True)
class StageStarted(StageEvent):
    """The runner began with this stage."""


@dataclass(frozen=True, slots=True)
class StageProgress(StageEvent):
    """The runner finished some units of the stage."""

    done: int
    total: int
    unit: str
    seconds: float
    """Working time so far, over all attempts."""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageRetried(StageEvent):
    """The job ended for a reason that may pass, and the stage will be started again."""

    retry: int
    """1, 2, …"""
    reason: str


@dataclass(frozen=True, slots=True)
class StageDone(StageEvent):
    """The output is in the store."""

    seconds: float
    """Working time over all attempts."""
    metrics: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class StageFailed(StageEvent):
    """The stage failed for good in this run."""

    reason: str


@dataclass(frozen=True, slots=True)
class StagesBlocked:
    """Stages cannot run because one above them failed; told once the rest is done."""

    labels: tuple[str, ...]
    """Upstream first."""
    by: str
    """Label of the stage that failed."""


@dataclass(frozen=True, slots=True)
class StageInterrupted(StageEvent):
    """The job was stopped on request; its checkpoint is kept."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The person asked to stop: `force` the second time."""

    force: bool


RunEvent: TypeAlias = (
    RunStarted
    | ObjectDamaged
    | StageSubmitted
    | StageAdopted
    | StageWaiting
    | StageDeferred
    | PlaceSilent
    | PlaceBack
    | StageStarted
    | StageProgress
    | StageRetried
    | StageDone
    | StageFailed
    | StagesBlocked
    | StageInterrupted
    | StopRequested
)
Sink: TypeAlias = Callable[[RunEvent], None]
