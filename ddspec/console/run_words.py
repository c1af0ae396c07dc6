"""The events of a run in words, for lines and for moving rows alike."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.console.durations import duration
from ddspec.plan.labels import folded
from ddspec.run.events import (
    ObjectDamaged,
    PlaceBack,
    PlaceSilent,
    RunEvent,
    RunStarted,
    StageAdopted,
    StageDeferred,
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
        case StageDeferred():
            return f"{event.label}: waiting for room: {event.reason}"
        case PlaceSilent():
            return f"{event.reason}; waiting for it up to {duration(event.patience_s)}"
        case PlaceBack():
            return "it answers again"
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
