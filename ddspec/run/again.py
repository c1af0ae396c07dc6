"""Starting a stage again after a failure that may pass: a few times, and each time later."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ddspec.canon import Digest
from ddspec.errors import DdspecError, Exit
from ddspec.run.desk import Desk
from ddspec.run.events import StageRetried

UNHEARD = "the request to start it was not answered, and it did not start"


def submit_again(desk: Desk, keys: Iterable[Digest]) -> None:
    """Let stages be submitted again whose request came to nothing, each time after a longer pause.

    Raises DdspecError (exit 6) once a pause would be longer than the patience with a silence.
    """
    orders = desk.orders
    for key in keys:
        tries = desk.unheard[key] = desk.unheard.get(key, 0) + 1
        pause = orders.pause_s * 2 ** (tries - 1)
        if pause > orders.patience_s:
            raise DdspecError(
                f"{desk.board.stages[key].label}: {UNHEARD}, {tries} times",
                exit=Exit.UNABLE,
                hint="the log of the container engine says why; run again once it is well",
            )
        desk.board.not_before[key] = time.monotonic() + pause
        desk.sink(StageRetried(desk.board.stages[key].label, key, tries, UNHEARD))


def start_again(desk: Desk, key: Digest, reason: str) -> bool:
    """Let a stage start again after a pause; False, and nothing happens, if it had its tries."""
    board, orders = desk.board, desk.orders
    retry = board.retries.get(key, 0) + 1
    if retry > orders.retries:
        return False
    board.retries[key] = retry
    board.not_before[key] = time.monotonic() + orders.pause_s * 2 ** (retry - 1)
    desk.sink(StageRetried(board.stages[key].label, key, retry, reason))
    return True
