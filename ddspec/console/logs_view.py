"""What stages printed and recorded, as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ddspec.console.durations import duration
from ddspec.console.moments import moment
from ddspec.run.follow import Begun, End, Piece, Said, Waits, Went
from ddspec.run.tries import Try
from ddspec.wire.job import Event

STEPS = 12
"""Of the progress of an attempt that are shown, unless all are asked for."""
EVERY_S = 2.0
"""Seconds of working time between two steps that are shown while they are made."""
METRICS = 3
"""Figures that are shown of a step."""
ENDS: dict[End, str] = {
    "done": "done",
    "failed": "failed; `ddspec run` tries it again",
    "stopped": "nothing works on it any more; `ddspec run` goes on where it was",
    "idle": "nothing has worked on it here; `ddspec run` does",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which of all there is is shown."""

    events: bool = True
    text: bool = True
    every: bool = False
    """All progress, and not only some of it."""


def lines_of(pieces: Iterable[Piece], asked: Asked, *, prefix: str = "") -> Iterator[str]:
    """Yield what is new of a stage as lines, each behind a prefix where several are followed."""
    shown = pieces if asked.every else thinned(pieces)
    for piece in shown:
        for line in _lines(piece, asked):
            yield line if isinstance(piece, Begun) else prefix + line  # which names the stage


def thinned(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the pieces with few of the steps that follow each other; the last one stays."""
    steps: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Event) and piece.event in ("progress", "checkpoint"):
            if piece.event == "progress":
                steps.append(piece)
            continue
        yield from _some(steps)
        yield piece
        steps = []
    yield from _some(steps)


def _some(steps: list[Piece]) -> list[Piece]:
    """Return at most `STEPS` of some steps, evenly apart, the last one among them."""
    stride = -(-len(steps) // STEPS) or 1
    return steps[::-1][::stride][::-1]


def _lines(piece: Piece, asked: Asked) -> Iterator[str]:
    match piece:
        case Begun():
            yield _heading(piece)
        case Event():
            if asked.events:
                yield f"  {event_words(piece)}"
        case Said():
            if asked.text:
                yield f"  | {piece.line}"
        case Went():
            yield f"  {_end_of(piece.one)}"
        case Waits():
            yield "  waits: a run counts on it"


def _heading(begun: Begun) -> str:
    one = begun.one
    number = f"attempt {begun.number} of {begun.count}"
    return (
        f"{one.label} · {one.key[:12]} · {number} · {one.executor} on {one.host} "
        f"since {moment(one.started)}"
    )


def _end_of(one: Try) -> str:
    took = "" if one.ended is None else f" after {duration(max(0.0, one.ended - one.started))}"
    code = "" if one.exit is None else f", exit code {one.exit}"
    reason = f": {one.reason}" if one.reason else code
    return f"{one.outcome}{took}{reason}"


def event_words(event: Event) -> str:
    """Return an event of a runner in words: `12 of 40 outer loops · 4.1 s · 9.6 s left`."""
    how_far = f"{event.done:,} of {event.total:,} {event.unit}".rstrip()
    match event.event:
        case "started":
            return f"started, goes on from {how_far}" if event.done else "started"
        case "progress":
            return " · ".join([how_far, duration(event.seconds), *_left(event), *_figures(event)])
        case "checkpoint":
            return f"checkpoint at {how_far}"
        case "done":
            return f"made in {duration(event.seconds)}"
        case "stopped":
            return f"stopped at {how_far}"


def left_s(event: Event) -> float | None:
    """Return the seconds that the rest takes at the pace so far; None where that is unknown."""
    if not 0 < event.done < event.total or not event.seconds:
        return None
    return event.seconds * (event.total - event.done) / event.done


def _left(event: Event) -> list[str]:
    left = left_s(event)
    return [] if left is None else [f"{duration(left)} left"]


def _figures(event: Event) -> list[str]:
    return [f"{name} {value:.4g}" for name, value in list(event.metrics.items())[:METRICS]]
