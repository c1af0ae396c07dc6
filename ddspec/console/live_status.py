"""The page of `status`, drawn over itself on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ddspec.console.status_view import Snapshot, render_status
from ddspec.visible import visible_lines


@contextmanager
def live_status() -> Iterator[Callable[[Snapshot], None]]:
    """Yield what draws a snapshot in place of the one before; the last one stays on screen."""
    with Live(console=Console(), auto_refresh=False, vertical_overflow="ellipsis") as live:
        yield lambda shot: live.update(Text(visible_lines(render_status(shot))), refresh=True)
