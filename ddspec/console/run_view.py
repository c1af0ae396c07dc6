"""What a run tells while it lasts: one line per change of state, and now and then how far it is.

For logs and pipes; `ddspec.console.live_view` is for terminals. Written without rich, which is not
worth its import where nothing moves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from ddspec.console.durations import duration
from ddspec.console.terminal import can_move
from ddspec.plan.labels import folded
from ddspec.run.events import (
    ObjectDamaged,
    RunEvent,
    RunStarted,
    Sink,
    StageAdopted,
    StageDone,
    StageFailed,
    StageInterrupted,
    StageProgress,
    StageRetried,
    StagesBlocked,
    StageStarted,
    StageSubmitted,
    StageWaiting,
    StopRequested,
)
from ddspec.run.scores import accuracy_of

PROGRESS_EVERY_S = 30.0
"""A line of progress per stage at most this often, by the stage's own working time."""


@contextmanager
def watch_run(say: Callable[[str], None]) -> Iterator[Sink]:
    """Yield what takes the events of a run and shows them until the context ends.

    Bars move on the terminal of stderr once there is anything to do; where there is no terminal
    that can do so, `say` gets whole lines.
    """
    plain, live = PlainView(say), can_move(sys.stderr, os.environ)
    with ExitStack() as stack:
        views: list[Sink] = []

        def sink(event: RunEvent) -> None:
            if not views:
                idle = isinstance(event, RunStarted) and not event.needed
                views.append(_live_view(stack) if live and not idle else plain)
            views[0](event)

        yield sink


def _live_view(stack: ExitStack) -> Sink:
    from ddspec.console.live_view import live_run

    return stack.enter_context(live_run())


class PlainView:
    """Turns events into lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said_at: dict[str, float] = {}

    def __call__(self, event: RunEvent) -> None:
        """Say what happened, or keep quiet where a line would only repeat."""
        if isinstance(event, StageProgress):
            self._progress(event)
        elif line := describe(event):
            self._say(line)

    def _progress(self, event: StageProgress) -> None:
        """Speak of a stage every half minute; what is finished is said by another event."""
        said = self._said_at.setdefault(event.label, event.seconds)
        if event.done < event.total and event.seconds - said >= PROGRESS_EVERY_S:
            self._said_at[event.label] = event.seconds
            self._say(f"{event.label}: {how_far(event)}, {time_left(event)} left")


def describe(event: RunEvent) -> str:
    """Return one line for a change of state, empty where there is nothing to tell."""
    match event:
        case RunStarted():
            others = f", {event.not_needed} not needed" if event.not_needed else ""
            stages = "stage" if len(event.needed) == 1 else "stages"
            return f"{len(event.needed)} {stages} to run, {event.in_store} in store{others}"
        case ObjectDamaged():
            return f"{event.label}: stored output is damaged and made again: {event.problem}"
        case StageAdopted():
            return f"{event.label}: taken over from an earlier run"
        case StageWaiting(reachable=True):
            return f"{event.label}: waiting, {event.owner} works on it"
        case StageWaiting():
            return f"{event.label}: waiting for {event.owner}, unreachable; `--steal` takes it"
        case StageStarted():
            return f"{event.label}: started"
        case StageRetried():
            return f"{event.label}: try {event.retry + 1}, {event.reason}"
        case StageDone():
            return f"{event.label}: done in {duration(event.seconds)}{_figures(event.metrics)}"
        case StageFailed():
            return f"{event.label}: failed: {indented(event.reason)}"
        case StagesBlocked():
            return f"not run, because {event.by} failed: {', '.join(folded(event.labels))}"
        case StageInterrupted():
            return f"{event.label}: stopped, its checkpoint is kept"
        case StopRequested(force=False):
            return "stopping: checkpoints are written; Ctrl-C again ends the jobs at once"
        case StopRequested():
            return "ending the jobs now"
        case StageSubmitted() | StageProgress():
            return ""


def indented(text: str) -> str:
    """Return a text with all its lines but the first moved to the right, as part of another."""
    return text.replace("\n", "\n    ")


def how_far(event: StageProgress) -> str:
    """Return how much of a stage is done: `12 of 40 outer loops`."""
    return f"{event.done} of {event.total} {event.unit}"


def time_left(event: StageProgress) -> str:
    """Return how long the rest of a stage takes at the pace so far."""
    if not event.done:
        return "?"
    return duration(event.seconds * (event.total - event.done) / event.done)


def _figures(metrics: Mapping[str, object]) -> str:
    accuracy = accuracy_of(metrics)
    return "" if accuracy is None else f", accuracy {100 * accuracy:.1f} %"


@contextmanager
def download_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of bytes received and expected; it moves a bar on a terminal."""
    if not can_move(sys.stderr, os.environ):
        yield lambda received, expected: None
        return
    from ddspec.console.live_view import live_download

    with live_download(name) as advance:
        yield advance


@contextmanager
def count_progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of things done and things to do; it moves a bar on a terminal."""
    if not can_move(sys.stderr, os.environ):
        yield lambda done, total: None
        return
    from ddspec.console.live_view import live_count

    with live_count(name) as advance:
        yield advance
