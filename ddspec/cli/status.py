"""`ddspec status`: who works on what, how far plans are, and what the store holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ddspec.canon import Json
    from ddspec.cli.inputs import Opened
    from ddspec.console.status_view import Held, Snapshot
    from ddspec.executors.base import Executor
    from ddspec.plan.forecast import Span
    from ddspec.run.at_work import AtWork
    from ddspec.store.store import Store

STATUS_FORMAT = "ddspec.status/1"
EVERY_S = 1.0


def status(
    documents: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SPEC|PLAN", help="Also how far these are."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Draw it again every second, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Show what is being worked on, by whom and how far.

    Of documents: what is made, what waits, what failed and why, and what comes next. A run that
    was killed leaves its claims: they say what the next one does with them.
    """
    from ddspec.cli.inputs import existing_store, home_of, open_document
    from ddspec.cli.output import show, show_json
    from ddspec.run.places import places_of

    if watch and as_json:
        raise DdspecError("`--watch` has no `--json`", exit=Exit.USAGE)
    opened = [open_document(path) for path in dict.fromkeys(documents or ())]
    store, folder = existing_store(home), home_of(home)
    place = None if store is None else places_of(store)

    def snapshot() -> Snapshot:
        return _snapshot(opened, store, folder, place)

    if watch:
        return _watch(snapshot)
    shot = snapshot()
    if as_json:
        show_json(_plain(shot))
    else:
        from ddspec.console.status_view import render_status

        show(render_status(shot))
    return Exit.DONE


def _snapshot(
    opened: Sequence[Opened],
    store: Store | None,
    home: Path,
    place: Callable[[str], Executor[Any]] | None,
) -> Snapshot:
    from ddspec.console.status_view import Snapshot
    from ddspec.run.at_work import at_work
    from ddspec.run.plan_state import plan_state

    return Snapshot(
        now=time.time(),
        home=str(home),
        works=() if store is None or place is None else at_work(store, place),
        holds=() if store is None else store.holds.all(),
        plans=[(plan_state(one.file, one.plan, store), _rest(one, store)) for one in opened],
        held=None if store is None else _held(store),
    )


def _rest(opened: Opened, store: Store | None) -> Span | None:
    """Return how long the rest of a document takes where stages like its own were measured."""
    from ddspec.cli.left import forecaster

    if store is None or not opened.plan.locked:
        return None
    plan = opened.plan
    return forecaster(plan, store, None).left([one.name for one in plan.variants])[0].span


def _held(store: Store) -> Held:
    from ddspec.console.status_view import Held
    from ddspec.disk import free_bytes
    from ddspec.store.footprint import footprint

    layout = store.layout
    return Held(
        home=str(layout.home),
        outputs=sum(1 for _ in store.objects.keys()),  # noqa: SIM118  # not a mapping
        size=footprint(str(layout.objects)),
        free=free_bytes(layout.home),
    )


def _watch(snapshot: Callable[[], Snapshot]) -> Exit:
    """Draw snapshots over each other; DdspecError (exit 2) where there is no terminal for it."""
    import os
    import sys

    from ddspec.console.terminal import can_move

    if not can_move(sys.stdout, os.environ):
        raise DdspecError(
            "`--watch` needs a terminal",
            exit=Exit.USAGE,
            hint="`ddspec status --json` is for programs",
        )
    from ddspec.console.live_status import live_status

    try:
        with live_status() as draw:
            while True:
                draw(snapshot())
                time.sleep(EVERY_S)
    except KeyboardInterrupt:  # how one leaves; nothing else was going on
        return Exit.DONE


def _plain(shot: Snapshot) -> dict[str, Json]:
    plans: list[Json] = [
        state.plain() | {"seconds_left": None if rest is None else rest.plain()}
        for state, rest in shot.plans
    ]
    held = shot.held
    return {
        "format": STATUS_FORMAT,
        "claims": [_claim(work, shot.now) for work in shot.works],
        "runs": [
            {
                "name": hold.name,
                "host": hold.owner.host,
                "pid": hold.owner.pid,
                "since": hold.since,
                "stages": len(hold.keys),
            }
            for hold in shot.holds
        ],
        "plans": plans,
        "store": None
        if held is None
        else {
            "home": held.home,
            "outputs": held.outputs,
            "bytes": held.size.bytes,
            "free_bytes": held.free,
        },
    }


def _claim(work: AtWork, now: float) -> dict[str, Json]:
    from ddspec.console.logs_view import left_s

    claim, owner, last = work.claim, work.claim.owner, work.last
    return {
        "key": claim.key,
        "label": claim.label,
        "state": work.phase,
        "seconds": max(0.0, now - claim.taken),  # clocks are set back
        "executor": claim.executor,
        "attempt": claim.attempt,
        "host": owner.host,
        "pid": owner.pid,
        "owner_alive": owner.alive() if owner.here() else None,
        "job_pid": None if work.where.process is None else work.where.process.pid,
        "container": work.where.container,
        "device": work.device or None,
        "memory_bytes": work.memory,
        "progress": None if last is None else last.model_dump(mode="json"),
        "seconds_left": None if last is None else left_s(last),
        "recorded": work.sign,
        "fate": work.fate,
    }
