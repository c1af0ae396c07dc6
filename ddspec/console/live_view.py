"""Moving bars on a terminal: one row per group of stages, with time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress_bar import ProgressBar
from rich.text import Text

from ddspec.console.run_words import describe, how_far
from ddspec.run.events import (
    RunEvent,
    RunStarted,
    Sink,
    StageDone,
    StageFailed,
    StageInterrupted,
    StageProgress,
    StageStarted,
    StageSubmitted,
)
from ddspec.visible import visible, visible_lines

PACE_S = 600.0
"""Time left follows the pace of the last ten minutes: outer loops may take minutes each."""
STARTING = "starting"
"""What a row says between the start of its first job and the first word of a runner."""
ECHO_WIDTH = 3
"""Columns for the `^C` that a terminal echoes, and for its cursor."""

Move = StageSubmitted | StageStarted | StageProgress | StageDone
"""Events that a row shows by itself; the others are lines above the rows."""


@contextmanager
def live_run() -> Iterator[Sink]:
    """Yield a sink that keeps rows up to date until the context ends; they stay on screen."""
    with Rows(
        TextColumn("{task.description}", markup=False),
        StillBar(bar_width=28),
        TextColumn("{task.fields[count]}", markup=False),
        TimeSpent(),
        TimeLeft(compact=True),
        TextColumn("{task.fields[detail]}", markup=False),
        console=Console(stderr=True),
        speed_estimate_period=PACE_S,
    ) as progress:
        yield LiveView(progress)
    progress.console.print()


@contextmanager
def live_download(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of bytes received and bytes expected (0 is unknown)."""
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task(name, total=None)
        yield lambda received, expected: progress.update(
            task, completed=received, total=expected or None
        )


@contextmanager
def live_count(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of things done and things to do."""
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class StillBar(BarColumn):
    """A bar that is empty until its work begins; rich would let it look busy."""

    def render(self, task: Task) -> ProgressBar:
        """Return the bar of one row."""
        bar = super().render(task)
        bar.pulse = False
        return bar


class TimeSpent(TimeElapsedColumn):
    """How long a row has been worked on; nothing before that."""

    def render(self, task: Task) -> Text:
        """Return hours, minutes and seconds."""
        return super().render(task) if task.started else Text()


class TimeLeft(TimeRemainingColumn):
    """How long the rest of a row takes, said so; nothing where that is not known."""

    def render(self, task: Task) -> Text:
        """Return minutes and seconds, and hours where there are any."""
        if task.finished or task.time_remaining is None:
            return Text()
        return super().render(task).append(" left")


class Rows(Progress):
    """Rows that leave room for what a terminal itself writes behind them: `^C`.

    It would begin another line there, and the rows would be drawn again one line further down.
    """

    def get_renderable(self) -> RenderableType:
        """Return the rows, a little narrower than the terminal."""
        return Narrow(super().get_renderable())


@dataclass(frozen=True, slots=True)
class Narrow:
    """Something drawn on fewer columns than there are."""

    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it; called by rich."""
        yield from console.render(
            self.inner, options.update_width(max(1, options.max_width - ECHO_WIDTH))
        )


class LiveView:
    """Gathers the stages that differ by a number alone into one row."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rows: dict[str, TaskID] = {}
        self._parts: dict[str, dict[str, float]] = {}

    def __call__(self, event: RunEvent) -> None:
        """Move the row of the event's stage, or print a line above the rows."""
        match event:
            case RunStarted():
                self._open(event.needed)
            case StageDone():
                self._move(event.label, 1.0, "")
            case StageProgress():
                part = event.done / event.total if event.total else 0.0
                detail = f"{_number(event.label)}{how_far(event)}" if part < 1 else ""
                self._move(event.label, part, detail)
            case StageStarted():
                self._move(event.label, 0.0, "")
            case StageSubmitted():
                self._submit(event.label)
            case StageFailed() | StageInterrupted():
                self._say(event)
                self._stop(event.label)
            case _:
                self._say(event)

    def _submit(self, label: str) -> None:
        """Show that a row is at work: until a runner has loaded itself, it tells nothing."""
        row = self._row_of(label)
        if not self._progress.tasks[row].started:
            self._progress.start_task(row)
            self._progress.update(row, detail=STARTING)

    def _open(self, labels: tuple[str, ...]) -> None:
        for label in labels:
            self._parts.setdefault(group_of(label), {})[label] = 0.0
        for group in self._parts:
            self._add_row(group)

    def _add_row(self, group: str) -> TaskID:
        parts = self._parts[group]
        row = self._progress.add_task(
            group, total=len(parts), start=False, count=_count(parts), detail=""
        )
        self._rows[group] = row
        return row

    def _move(self, label: str, part: float, detail: str) -> None:
        """Set how much of one stage is done; a stage may turn out to be needed only later."""
        row = self._row_of(label)
        parts = self._parts[group_of(label)]
        parts[label] = part
        if not self._progress.tasks[row].started:
            self._progress.start_task(row)
        self._progress.update(
            row,
            total=len(parts),
            completed=sum(parts.values()),
            count=_count(parts),
            detail=visible(detail),
        )

    def _row_of(self, label: str) -> TaskID:
        group = group_of(label)
        self._parts.setdefault(group, {}).setdefault(label, 0.0)
        row = self._rows.get(group)
        return self._add_row(group) if row is None else row

    def _stop(self, label: str) -> None:
        row = self._rows.get(group_of(label))
        if row is not None:
            self._progress.stop_task(row)
            if self._progress.tasks[row].fields["detail"] == STARTING:
                self._progress.update(row, detail="")

    def _say(self, event: RunEvent) -> None:
        if line := describe(event):
            self._progress.console.print(Text(visible_lines(line)))


def group_of(label: str) -> str:
    """Return what the labels of one row share: `pool/3` and `pool/0` are of `pool`."""
    return "/".join(part for part in label.split("/") if not part.isdigit())


def _number(label: str) -> str:
    numbers = [part for part in label.split("/") if part.isdigit()]
    return f"{numbers[-1]}: " if numbers else ""


def _count(parts: dict[str, float]) -> str:
    return f"{sum(part >= 1 for part in parts.values())}/{len(parts)}"
