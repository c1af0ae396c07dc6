"""A run tells what changes: in lines to a log, in rows on a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from ddspec.console.live_view import (
    ECHO_WIDTH,
    LiveView,
    Rows,
    StillBar,
    TimeLeft,
    TimeSpent,
    group_of,
)
from ddspec.console.run_view import BarsOnceBegun, PlainView
from ddspec.console.run_words import describe, time_left
from ddspec.run.events import (
    ObjectDamaged,
    RunEvent,
    RunStarted,
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

KEY = "0" * 64


def progress(done: int, seconds: float, label: str = "distill") -> StageProgress:
    return StageProgress(label, KEY, done, 40, "outer loops", seconds)


LINES: dict[str, tuple[RunEvent, str]] = {
    "start": (RunStarted(("distill",), 3, 0), "1 stage to run, 3 in store"),
    "start that needs less": (RunStarted((), 1, 6), "0 stages to run, 1 in store, 6 not needed"),
    "damage": (
        ObjectDamaged("pool/0", KEY, "network.safetensors is cut short"),
        "pool/0: stored output is damaged and made again: network.safetensors is cut short",
    ),
    "submission": (StageSubmitted("pool/0", KEY, "1"), ""),
    "adoption": (StageAdopted("pool/0", KEY, "1"), "pool/0: taken over from an earlier run"),
    "waiting": (
        StageWaiting("pool/0", KEY, "process 7", reachable=True),
        "pool/0: waiting, process 7 works on it",
    ),
    "waiting in vain": (
        StageWaiting("pool/0", KEY, "host b", reachable=False),
        "pool/0: waiting for host b, unreachable; `--steal` takes it",
    ),
    "beginning": (StageStarted("pool/0", KEY), "pool/0: started"),
    "retry": (StageRetried("pool/0", KEY, 1, "exit 75"), "pool/0: try 2, exit 75"),
    "end": (StageDone("pool/0", KEY, 3.21, {}), "pool/0: done in 3.2 s"),
    "end of an evaluation": (
        StageDone("evaluate/c/0", KEY, 61, {"accuracy": 0.9012}),
        "evaluate/c/0: done in 1 m 01 s, accuracy 90.1 %",
    ),
    "failure": (StageFailed("pool/0", KEY, "no room"), "pool/0: failed: no room"),
    "failure in many lines": (
        StageFailed("pool/0", KEY, "exit code 1\nits last words"),
        "pool/0: failed: exit code 1\n    its last words",
    ),
    "blocking": (
        StagesBlocked(("distill", "evaluate/c/0", "evaluate/c/1"), "pool/0"),
        "not run, because pool/0 failed: distill, evaluate/c/0..1",
    ),
    "interruption": (
        StageInterrupted("distill", KEY),
        "distill: stopped, its checkpoint is kept",
    ),
    "stop": (
        StopRequested(force=False),
        "stopping: checkpoints are written; Ctrl-C again ends the jobs at once",
    ),
    "forced stop": (StopRequested(force=True), "ending the jobs now"),
}


@pytest.mark.parametrize(("event", "line"), LINES.values(), ids=LINES)
def test_each_change_has_its_line(event: RunEvent, line: str) -> None:
    assert describe(event) == line


def test_progress_is_told_every_half_minute_of_work() -> None:
    lines: list[str] = []
    view = PlainView(lines.append)

    for loop in range(1, 41):
        view(progress(loop, seconds=4.0 * loop))

    assert lines == [
        "distill: 9 of 40 outer loops, 2 m 04 s left",
        "distill: 17 of 40 outer loops, 1 m 32 s left",
        "distill: 25 of 40 outer loops, 1 m 00 s left",
        "distill: 33 of 40 outer loops, 28 s left",
    ]


def test_before_the_first_unit_nobody_knows_the_time_left() -> None:
    assert time_left(progress(0, seconds=3.0)) == "?"


def drawn(*events: RunEvent) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Return the rows (name, count, detail) after some events, and the lines above them."""
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=False)
    rows = Progress(TextColumn(""), console=console, auto_refresh=False)
    view = LiveView(rows)
    for event in events:
        view(event)
    shown = [(t.description, t.fields["count"], t.fields["detail"]) for t in rows.tasks]
    return shown, screen.getvalue().splitlines()


def test_stages_that_differ_by_a_number_share_a_row() -> None:
    rows, lines = drawn(
        RunStarted(("pool/0", "pool/1", "distill"), 0, 0),
        StageStarted("pool/1", KEY),
        StageDone("pool/1", KEY, 1.0, {}),
        progress(12, seconds=3.0),
    )

    assert rows == [("pool", "1/2", ""), ("distill", "0/1", "12 of 40 outer loops")]
    assert lines == []


def test_a_row_is_as_far_as_its_stages_together() -> None:
    progress_bars = Progress(TextColumn(""), console=Console(file=io.StringIO()))
    view = LiveView(progress_bars)
    view(RunStarted(("evaluate/c/0", "evaluate/c/1"), 0, 0))
    view(StageDone("evaluate/c/0", KEY, 1.0, {}))
    view(progress(10, 1.0, label="evaluate/c/1"))

    (row,) = progress_bars.tasks

    assert (row.completed, row.total) == (1.25, 2)
    assert row.fields["detail"] == "1: 10 of 40 outer loops"


def test_what_is_finished_and_not_yet_stored_shows_no_detail() -> None:
    rows, _ = drawn(RunStarted(("distill",), 0, 0), progress(40, seconds=3.0))

    assert rows == [("distill", "1/1", "")]


def test_a_row_stands_still_until_its_work_begins() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=60, force_terminal=True, color_system=None)
    rows = Progress(StillBar(bar_width=10), console=console, auto_refresh=False)
    LiveView(rows)(RunStarted(("pool/0",), 0, 0))

    console.print(rows)

    assert "━" not in screen.getvalue()


def test_what_goes_wrong_is_a_line_above_the_rows() -> None:
    rows, lines = drawn(
        RunStarted(("pool/0", "distill"), 0, 0),
        StageStarted("pool/0", KEY),
        StageFailed("pool/0", KEY, "[bold] is not markup here"),
        StagesBlocked(("distill",), "pool/0"),
    )

    assert rows == [("pool", "0/1", ""), ("distill", "0/1", "")]
    assert lines == [
        "pool/0: failed: [bold] is not markup here",
        "not run, because pool/0 failed: distill",
    ]


def test_a_stage_that_is_needed_only_later_gets_a_row() -> None:
    rows, _ = drawn(RunStarted((), 1, 0), StageStarted("pool/0", KEY))

    assert rows == [("pool", "0/1", "")]


def test_a_row_whose_job_was_started_says_so_until_its_runner_speaks() -> None:
    before, _ = drawn(RunStarted(("distill",), 0, 0), StageSubmitted("distill", KEY, "1"))
    after, _ = drawn(
        RunStarted(("distill",), 0, 0),
        StageSubmitted("distill", KEY, "1"),
        StageStarted("distill", KEY),
    )
    stopped, _ = drawn(
        RunStarted(("distill",), 0, 0),
        StageSubmitted("distill", KEY, "1"),
        StageInterrupted("distill", KEY),
    )

    assert before == [("distill", "0/1", "starting")]
    assert after == stopped == [("distill", "0/1", "")]


def test_another_job_of_a_row_at_work_changes_nothing() -> None:
    rows, _ = drawn(
        RunStarted(("pool/0", "pool/1"), 0, 0),
        progress(10, 1.0, label="pool/0"),
        StageSubmitted("pool/1", KEY, "1"),
    )

    assert rows == [("pool", "0/2", "0: 10 of 40 outer loops")]


def on_screen(tell: Callable[[LiveView], None]) -> list[str]:
    """Return the lines of the rows on a terminal of 80 columns."""
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=True, color_system=None)
    rows = Rows(
        TextColumn("{task.description}"),
        StillBar(bar_width=28),
        TimeSpent(),
        TimeLeft(compact=True),
        TextColumn("{task.fields[detail]}"),
        console=console,
        auto_refresh=False,
        get_time=iter(range(100)).__next__,
    )
    tell(LiveView(rows))
    console.print(rows.get_renderable())
    return screen.getvalue().splitlines()


def test_rows_leave_room_for_what_a_terminal_echoes() -> None:
    def tell(view: LiveView) -> None:
        view(RunStarted(("distill",), 0, 0))
        view(progress(10, 1.0))
        view(StageProgress("distill", KEY, 10, 40, "outer loops " * 9, 1.0))

    lines = on_screen(tell)

    assert 70 < max(len(line) for line in lines) <= 80 - ECHO_WIDTH


def test_times_are_shown_where_there_are_any() -> None:
    def tell(view: LiveView) -> None:
        view(RunStarted(("distill", "merge"), 0, 0))
        for loop in range(1, 11):
            view(progress(loop, float(loop)))

    busy, idle = on_screen(tell)

    assert "left" in busy
    assert idle.split() == ["merge"]


def test_a_run_that_cannot_begin_opens_no_bars() -> None:
    opened: list[RunEvent] = []
    told: list[RunEvent] = []
    view = BarsOnceBegun(told.append, lambda: opened.append)

    view(RunStarted(("distill",), 0, 0))

    assert opened == told == []


def test_bars_get_what_was_held_back_first() -> None:
    opened: list[RunEvent] = []
    told: list[RunEvent] = []
    view = BarsOnceBegun(told.append, lambda: opened.append)
    events = [RunStarted(("distill",), 0, 0), StageSubmitted("distill", KEY, "1"), progress(1, 1.0)]

    for event in events:
        view(event)

    assert (opened, told) == (events, [])


def test_a_run_with_nothing_to_do_says_so_in_a_line() -> None:
    opened: list[RunEvent] = []
    told: list[RunEvent] = []
    view = BarsOnceBegun(told.append, lambda: opened.append)

    view(RunStarted((), 3, 0))

    assert (opened, told) == ([], [RunStarted((), 3, 0)])


GROUPS = {
    "pool/3": "pool",
    "distill/2/to-100": "distill/to-100",
    "evaluate/random/convnet2-w32/7": "evaluate/random/convnet2-w32",
    "merge": "merge",
}


@pytest.mark.parametrize(("label", "group"), GROUPS.items())
def test_a_row_is_named_without_the_numbers(label: str, group: str) -> None:
    assert group_of(label) == group
