"""Starting a stage again after a failure that may pass: a few times, and each time later."""

from __future__ import annotations

import time

from ddspec.canon import Digest
from ddspec.run.desk import Desk
from ddspec.run.events import StageRetried


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
