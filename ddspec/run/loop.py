"""The loop of a run that has something to do: start, watch, collect, stop when asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ddspec.canon import Digest
from ddspec.executors.base import Phase, Unreachable
from ddspec.plan.ir import Stage
from ddspec.run.adopt import identify, inherit, meet, poll, unreachable
from ddspec.run.collect import collect
from ddspec.run.desk import Desk, Tracked
from ddspec.run.events import StageProgress, StagesBlocked, StageStarted, StopRequested
from ddspec.run.gang import gangs
from ddspec.run.launch import appear, launch
from ddspec.run.progress import read_events
from ddspec.run.signals import Wishes

HEARTBEAT_S = 10.0
RESEND_S = 2.0
"""A SIGTERM that reaches a process while it starts can be lost, so it is sent again."""
LEAVE_S = 30.0
"""How long jobs may take to write their checkpoints when the run ends because of an error."""


@dataclass(slots=True)
class Loop:
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
                    if not self.desk.own() or (self.wishes.stops > 1 and self.desk.silence.on):
                        return "stop"
                elif not self.desk.silence.on:
                    self._start()
                self.desk.silence.judge(
                    time.monotonic(), self.desk.orders.patience_s, self.desk.sink
                )
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
                with self._bearing_silence():
                    identify(desk, job)
        states = poll(desk)
        for job in tuple(desk.jobs.values()):
            if job.handle is None or job.handle not in states:
                continue
            state = states[job.handle]
            self._report(job, tuple(job.stages) if state.over else job.watched())
            if state.over:
                with self._bearing_silence():
                    collect(desk, job, state)
            elif state.phase is not Phase.UNREACHABLE:
                inherit(desk, job)
            elif job.owner == desk.me:
                desk.silence.note(state.reason)
            else:
                unreachable(desk, job, state.reason)

    @contextmanager
    def _bearing_silence(self) -> Iterator[None]:
        """Leave for the next look what the place did not answer."""
        try:
            yield
        except Unreachable as silent:
            self.desk.silence.note(str(silent))

    def _report(self, job: Tracked, keys: Sequence[Digest]) -> None:
        """Pass on what the runner recorded since the last look, the last progress only."""
        for key in keys:
            stage, path = job.stages[key], self.desk.store.layout.events(key)
            events, job.offsets[key] = read_events(path, job.offsets[key])
            if events:
                job.last = key
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
        if slots <= 0:
            return
        for gang in gangs(free, jobs=desk.orders.jobs, heights=desk.board.heights)[:slots]:
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
            place = desk.place(job.executor)
            if job.handle is not None and place is not None:
                job.cancelled = True
                with self._bearing_silence():
                    place.cancel(job.handle, force=force)

    def _beat(self) -> None:
        now = time.monotonic()
        if now >= self.last_beat + HEARTBEAT_S:
            self.last_beat = now
            for job in self.desk.own():
                for key in job.stages:
                    self.desk.store.claims.beat(key)

    def _leave(self) -> None:
        """Let our jobs write their checkpoints and end; their claims stay for the next run."""
        end = time.monotonic() + LEAVE_S
        for job in self.desk.own():
            place = self.desk.place(job.executor)
            if job.handle is not None and place is not None:
                with suppress(Unreachable):
                    place.cancel(job.handle)
        while time.monotonic() < end:
            states = poll(self.desk, self.desk.own())
            if all(state.over or state.phase is Phase.UNREACHABLE for state in states.values()):
                return
            time.sleep(self.desk.orders.poll_s)

    def _tell_blocked(self) -> None:
        board = self.desk.board
        blocked: dict[Digest, list[str]] = {}
        for key, stage in board.stages.items():
            if key in board.needed() and key not in board.failed:
                by = board.blocker(key)
                if by is not None:
                    blocked.setdefault(by, []).append(stage.label)
        for by, labels in blocked.items():
            self.desk.sink(StagesBlocked(tuple(labels), board.stages[by].label))
