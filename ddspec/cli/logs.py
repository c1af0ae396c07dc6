"""`ddspec logs`: what the runner of a stage says, and said."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from ddspec.canon import Json
    from ddspec.cli.named_stages import Named
    from ddspec.console.logs_view import Asked
    from ddspec.executors.base import Executor
    from ddspec.run.tries import Try
    from ddspec.store.store import Store

LOGS_FORMAT = "ddspec.logs/1"
POLL_S = 0.5


def logs(
    what: Annotated[
        str, typer.Argument(metavar="SPEC|PLAN|KEY", help="A document, or how a key begins.")
    ],
    stage: Annotated[
        str | None,
        typer.Argument(
            metavar="STAGE",
            help="`distill`, `pool/3`, `evaluate/*`, `distill@VARIANT`; by default those that are "
            "at work or have failed.",
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on until the stage ends, through all attempts."),
    ] = False,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", min=1, metavar="N", help="This attempt; by default the last."),
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Only its progress, every step of it.")
    ] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="Only what it printed.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Show what the runner of a stage printed and recorded.

    With `--follow`, the exit code is that of the stage: 0 made, 1 not. Ctrl-C leaves the job alone
    and exits 130. What could steer a terminal is made visible; `--json` names the files that hold
    it as it was written.
    """
    from ddspec.cli.inputs import existing_store, home_of
    from ddspec.cli.named_stages import stages_of
    from ddspec.run.places import places_of

    if events and stderr:
        raise DdspecError("`--events` and `--stderr` exclude each other", exit=Exit.USAGE)
    if follow and as_json:
        raise DdspecError("`--follow` has no `--json`", exit=Exit.USAGE, hint="`ddspec run --json`")
    store = existing_store(home)
    if store is None:
        raise DdspecError(f"no store at `{home_of(home)}`", exit=Exit.UNABLE)
    stages = stages_of(what, stage, store)
    place = places_of(store)
    if as_json:
        return _show_json(stages, store, place, attempt)
    from ddspec.console.logs_view import Asked

    asked = Asked(events=not stderr, text=not events, every=events)
    return (_follow if follow else _show)(stages, store, place, attempt, asked)


def _chosen(tries: Sequence[Try], attempt: int | None, stage: Named) -> int:
    """Return the number from 0 on of the attempt that is shown first."""
    if attempt is not None and attempt > len(tries):
        plural = "" if len(tries) == 1 else "s"
        count = f"has {len(tries)} attempt{plural}" if tries else "was never tried here"
        raise DdspecError(f"{stage.label} {count}", exit=Exit.USAGE)
    return max(0, len(tries) - 1) if attempt is None else attempt - 1


def _show(
    stages: Sequence[Named],
    store: Store,
    place: Callable[[str], Executor[Any]],
    attempt: int | None,
    asked: Asked,
) -> Exit:
    from ddspec.cli.output import show
    from ddspec.console.logs_view import ENDS, lines_of
    from ddspec.run.follow import Following
    from ddspec.run.tries import tries_of

    for stage in stages:
        tries = tries_of(store, stage.key)
        first = _chosen(tries, attempt, stage)
        if not tries:
            show(f"{stage.label} · {stage.key[:12]}\n  {ENDS['idle']}")
            continue
        following = Following(store, stage.key, place, first)
        for line in lines_of(following.pieces(attempt), asked):
            show(line)
    return Exit.DONE


def _follow(
    stages: Sequence[Named],
    store: Store,
    place: Callable[[str], Executor[Any]],
    attempt: int | None,
    asked: Asked,
) -> Exit:
    """Show what is new of all stages, until each has ended."""
    from ddspec.cli.output import show
    from ddspec.console.logs_view import ENDS, lines_of
    from ddspec.run.follow import Following
    from ddspec.run.tries import tries_of

    open_ones = {
        stage.label: Following(
            store, stage.key, place, _chosen(tries_of(store, stage.key), attempt, stage)
        )
        for stage in stages
    }
    codes: list[Exit] = []
    while True:
        for label, following in tuple(open_ones.items()):
            prefix = f"{label}: " if len(stages) > 1 else ""
            pieces, end = following.step()
            for line in lines_of(pieces, asked, prefix=prefix):
                show(line)
            if end is not None:
                show(f"{label}: {ENDS[end]}")
                codes.append(Exit.DONE if end == "done" else Exit.FAILED)
                del open_ones[label]
        if not open_ones:
            return max(codes)
        time.sleep(POLL_S)


def _show_json(
    stages: Sequence[Named],
    store: Store,
    place: Callable[[str], Executor[Any]],
    attempt: int | None,
) -> Exit:
    from ddspec.cli.output import show_json

    rows: list[Json] = [
        {
            "label": stage.label,
            "key": stage.key,
            "made": store.layout.object(stage.key).exists(),
            "attempts": list(_attempts(stage, store, place, attempt)),
        }
        for stage in stages
    ]
    show_json({"format": LOGS_FORMAT, "stages": rows})
    return Exit.DONE


def _attempts(
    stage: Named, store: Store, place: Callable[[str], Executor[Any]], attempt: int | None
) -> Iterator[dict[str, Json]]:
    from ddspec.run.follow import reader_of
    from ddspec.run.tries import tries_of

    tries = tries_of(store, stage.key)
    _chosen(tries, attempt, stage)
    for at, one in enumerate(tries):
        if attempt is not None and at != attempt - 1:
            continue
        reader = reader_of(store, tries, at, place)
        folder = store.layout.attempts / one.attempt
        owner = None if one.owner is None else asdict(one.owner)
        yield {
            "attempt": one.attempt,
            "number": at + 1,
            "executor": one.executor,
            "host": one.host,
            "started": one.started,
            "ended": one.ended,
            "outcome": one.outcome,
            "exit": one.exit,
            "reason": one.reason,
            "owner": owner,
            "files": [str(folder / name) for name in ("stderr", "stdout")],
            "events": [event.model_dump(mode="json") for event in reader.events()],
            "stderr": list(reader.lines(final=one.ended is not None)),
        }
