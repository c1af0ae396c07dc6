"""What the person, or the terminal, asks of a run while it goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any


@dataclass(slots=True)
class Wishes:
    """Counted by signal handlers, read by the loop."""

    stops: int = 0
    """SIGINT and SIGTERM: once means checkpoint and end, twice means now."""
    detach: bool = False
    """SIGHUP: leave, and let the jobs go on."""


@contextmanager
def listening() -> Iterator[Wishes]:
    """Count signals for the block, instead of dying of them.

    Only the main thread may do so; in another one the wishes stay empty.
    """
    wishes = Wishes()
    if threading.current_thread() is not threading.main_thread():
        yield wishes
        return

    def stop(number: int, frame: FrameType | None) -> None:
        wishes.stops += 1

    def detach(number: int, frame: FrameType | None) -> None:
        wishes.detach = True

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGINT: stop,
        signal.SIGTERM: stop,
        signal.SIGHUP: detach,
    }
    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN  # nohup, or a script's background
    }
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
