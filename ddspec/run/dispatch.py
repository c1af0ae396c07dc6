"""Running a plan: skip what the store has, start what is ready, watch, collect, go on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddspec.canon import Digest
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Executor, Phase, Site
from ddspec.plan.ir import Stage
from ddspec.run.adopt import identify, inherit, meet, state_of, unreachable
from ddspec.run.board import Board, board_of
from ddspec.run.collect import collect
from ddspec.run.desk import Desk, Orders, Tracked
from ddspec.run.events import (
    ObjectDamaged,
    RunStarted,
    Sink,
    StageBlocked,
    StageProgress,
    StageStarted,
    StopRequested,
)
from ddspec.run.gang import gangs
from ddspec.run.launch import appear, launch
from ddspec.run.outcome import Outcome, StageOutcome
from ddspec.run.progress import read_events
from ddspec.run.signals import Wishes, listening
from ddspec.store.store import Store

HEARTBEAT_S = 10.0
RESEND_S = 2.0
"""A SIGTERM that reaches a process while it starts can be lost, so it is sent again."""
SWEEP_S = 60.0
"""No living run holds a half-made file for so long."""
LEAVE_S = 30.0
"""How long jobs may take to write their checkpoints when the run ends because of an error."""


def site_of(store: Store) -> Site:
    """Return what an executor has to know of a store; the root of datasets is for the caller."""
    layout = store.layout
    return Site(store.id, layout.attempts, layout.scratch, layout.object)


def run_plan(
    stages: Sequence[Stage],
    store: Store,
    executor: Executor[Any],
    *,
    sink: Sink,
    orders: Orders | None = None,
) -> Outcome:
    """Bring the outputs of a plan into the store and tell what became of each stage.

    A stage that fails blocks those below it; the others go on. Raises DdspecError where nothing
    can go on: data that are not locked, a full disk, a place that cannot start jobs (all exit 6).
    """
    loose = [stage.label for stage in stages if stage.key is None]
    if loose:
        raise DdspecError(
            f"`{loose[0]}` has no key yet: its data are not locked",
            exit=Exit.UNABLE,
            hint="run `ddspec lock` where the data are",
        )
    board = survey(stages, store, sink)
    desk = Desk(store, executor, sink, orders or Orders(), board)
    tidy(desk)
    if not board.needed():
        return outcome_of(stages, board, store)
    with listening() as wishes:
        leave = _Loop(desk, wishes).run()
    return outcome_of(stages, board, store, interrupted=leave == "stop", detached=leave == "detach")


def survey(stages: Sequence[Stage], store: Store, sink: Sink) -> Board:
    """Look every stage up in the store; set damaged outputs aside, so that they are made again."""
    board = board_of(stages)
    for key, stage in board.stages.items():
        if not store.layout.object(key).exists():
            continue
        problem = store.objects.problem(key)
        if problem is None:
            board.present.add(key)
        else:
            store.objects.set_aside(key)
            board.vanished(key)
            sink(ObjectDamaged(stage.label, key, problem))
    needed = board.needed()
    sink(
        RunStarted(
            tuple(stage.label for key, stage in board.stages.items() if key in needed),
            in_store=len(board.present),
            not_needed=len(board.stages) - len(board.present) - len(needed),
        )
    )
    return board


def tidy(desk: Desk) -> None:
    """Remove what a run left behind that died between publishing and dropping its claim."""
    desk.store.claims.sweep(time.time() - SWEEP_S)
    for key in desk.store.claims.keys() & desk.board.present:
        claim = desk.store.claims.read(key)
        if claim is None or claim.owner.alive() or not claim.owner.here():
            continue
        with desk.store.claims.lock(key):
            desk.store.archive_scratch(key)
            desk.store.claims.drop(key, claim.attempt)


def outcome_of(
    stages: Sequence[Stage],
    board: Board,
    store: Store,
    *,
    interrupted: bool = False,
    detached: bool = False,
) -> Outcome:
    """Return what became of each stage, with the figures of those that are in the store."""
    return Outcome(
        tuple(_stage_outcome(stage, board, store) for stage in stages), interrupted, detached
    )


def _stage_outcome(stage: Stage, board: Board, store: Store) -> StageOutcome:
    key = stage.key or ""
    state = board.state(key)
    result = store.result(key) if key in board.present else {}
    seconds, metrics = result.get("seconds"), result.get("metrics")
    blocker = board.blocker(key) if state == "blocked" else None
    return StageOutcome(
        label=stage.label,
        key=key,
        kind=stage.work.kind,
        state=state,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        metrics=metrics if isinstance(metrics, dict) else {},
        reason=board.failed.get(key, "") if blocker is None else board.stages[blocker].label,
    )


@dataclass(slots=True)
class _Loop:
    """The loop of one run; all state of the work itself is on the desk."""

    desk: Desk
    wishes: Wishes
    stops_served: int = 0
    last_signal: float = 0.0
    last_beat: float = 0.0

    def run(self) -> str:
        """Go on until nothing is left to do; return why it ended: `end`, `stop`, `detach`."""
        try:
            while self.desk.board.open():
                if self.wishes.detach:
                    return "detach"
                if self.wishes.stops:
                    self._stop()
                self._watch()
                if self.wishes.stops:
                    if not self.desk.own():
                        return "stop"
                else:
                    self._start()
                self._beat()
                time.sleep(self.desk.orders.poll_s)
        except BaseException:
            self._leave()
            raise
        self._tell_blocked()
        return "end"

    def _watch(self) -> None:
        desk = self.desk
        for job in tuple(desk.jobs.values()):
            if job.handle is None:
                identify(desk, job)
        known = {job.handle: job for job in desk.jobs.values() if job.handle is not None}
        states = desk.executor.poll(
            [handle for handle, job in known.items() if job.executor == desk.executor.name]
        )
        for handle, job in known.items():
            self._report(job)
            state = state_of(desk, job, states.get(handle))
            if state.over:
                collect(desk, job, state)
            elif state.phase is Phase.UNREACHABLE:
                unreachable(desk, job, state.reason)
            else:
                inherit(desk, job)

    def _report(self, job: Tracked) -> None:
        """Pass on what the runner recorded since the last look, the last progress only."""
        for key, stage in job.stages.items():
            path = self.desk.store.layout.events(key)
            events, job.offsets[key] = read_events(path, job.offsets[key])
            if events and key not in job.begun:
                job.begun.add(key)
                self.desk.sink(StageStarted(stage.label, key))
            steps = [event for event in events if event.event == "progress"]
            if steps:
                last = steps[-1]
                self.desk.sink(
                    StageProgress(
                        stage.label, key, last.done, last.total, last.unit, last.seconds,
                        last.metrics,
                    )
                )  # fmt: skip

    def _start(self) -> None:
        """Start as many jobs as may run; stages that somebody claims are watched instead."""
        desk = self.desk
        ready = desk.board.ready(time.monotonic())
        if not ready:
            return
        claimed = desk.store.claims.keys()
        for stage in ready:
            if stage.key in claimed:
                self._meet(stage)
        free = [stage for stage in ready if stage.key not in claimed]
        slots = desk.orders.jobs - len(desk.own())
        for gang in gangs(free, jobs=desk.orders.jobs, heights=desk.board.heights)[: max(0, slots)]:
            launch(desk, gang)

    def _meet(self, stage: Stage) -> None:
        if self.desk.store.objects.has(stage.key or ""):
            appear(self.desk, stage)
        else:
            meet(self.desk, stage)

    def _stop(self) -> None:
        """Ask our jobs to checkpoint and end; kill them when asked twice."""
        desk, now, force = self.desk, time.monotonic(), self.wishes.stops > 1
        if self.stops_served < self.wishes.stops:
            self.stops_served = self.wishes.stops
            desk.sink(StopRequested(force))
        elif now < self.last_signal + RESEND_S:
            return
        self.last_signal = now
        for job in desk.own():
            if job.handle is not None:
                job.cancelled = True
                desk.executor.cancel(job.handle, force=force)

    def _beat(self) -> None:
        now = time.monotonic()
        if now >= self.last_beat + HEARTBEAT_S:
            self.last_beat = now
            for job in self.desk.own():
                for key in job.stages:
                    self.desk.store.claims.beat(key)

    def _leave(self) -> None:
        """Let our jobs write their checkpoints and end; their claims stay for the next run."""
        handles = [job.handle for job in self.desk.own() if job.handle is not None]
        end = time.monotonic() + LEAVE_S
        for handle in handles:
            self.desk.executor.cancel(handle)
        while time.monotonic() < end:
            if all(state.over for state in self.desk.executor.poll(handles).values()):
                return
            time.sleep(self.desk.orders.poll_s)

    def _tell_blocked(self) -> None:
        board = self.desk.board
        for key in board.needed() - board.failed.keys():
            by: Digest | None = board.blocker(key)
            if by is not None:
                stage = board.stages[key]
                self.desk.sink(StageBlocked(stage.label, key, board.stages[by].label))
