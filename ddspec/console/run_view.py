"""What a run tells while it lasts: one line per change of state, and now and then how far it is.

For logs and pipes; `ddspec.console.live_view` is for terminals. Written without rich, which is not
worth its import where nothing moves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from ddspec.console.run_words import describe, how_far, time_left
from ddspec.console.terminal import can_move
from ddspec.run.events import RunEvent, RunStarted, Sink, StageProgress

PROGRESS_EVERY_S = 30.0
"""A line of progress per stage at most this often, by the stage's own working time."""


@contextmanager
def watch_run(say: Callable[[str], None]) -> Iterator[Sink]:
    """Yield what takes the events of a run and shows them until the context ends.

    Bars move on the terminal of stderr once anything was done; where there is no terminal that can
    do so, `say` gets whole lines.
    """
    plain = PlainView(say)
    if not can_move(sys.stderr, os.environ):
        yield plain
        return
    with ExitStack() as stack:
        yield BarsOnceBegun(plain, lambda: _live_view(stack))


class BarsOnceBegun:
    """Holds back what a run is going to do until it does: a run that cannot begin says why alone.

    One that has nothing to do says so in a line.
    """

    def __init__(self, plain: Sink, open_bars: Callable[[], Sink]) -> None:
        self._plain = plain
        self._open_bars = open_bars
        self._view: Sink | None = None
        self._held: RunStarted | None = None

    def __call__(self, event: RunEvent) -> None:
        """Show an event, after the one that was held back."""
        if self._view is None and isinstance(event, RunStarted):
            if event.needed:
                self._held = event
            else:
                self._view = self._plain
                self._view(event)
            return
        if self._view is None:
            self._view = self._open_bars()
            if self._held is not None:
                self._view(self._held)
        self._view(event)


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
