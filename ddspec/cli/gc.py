"""`ddspec gc`: remove what no spec and no plan of some folders reaches."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.canon import Json
    from ddspec.cli.roots import Roots
    from ddspec.run.clearing import Cleared
    from ddspec.store.store import Store

GC_FORMAT = "ddspec.gc/1"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGE = re.compile(r"(\d{1,9})([smhd])|0")


def gc(
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER|SPEC|PLAN",
            help="What is kept is what these reach; by default the folder `specs` of the "
            "repository.",
        ),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove it; otherwise it is only shown.")
    ] = False,
    keep_newer: Annotated[
        str,
        typer.Option("--keep-newer", metavar="AGE", help="Keep what changed since: 30m, 1h, 7d."),
    ] = "1h",
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="REV", help="Keep what the same reach at a git revision."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="GLOB", help="Leave documents out: what only they reach goes."
        ),
    ] = None,
    journal: Annotated[
        bool, typer.Option("--journal", help="Also the history of what goes: who ran what, when.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Show what no plan under some folders reaches; `--delete` removes it.

    Specs count with all their variants. What is being made, what living runs read and what is
    younger than an hour stays too. Where a spec does not compile, nothing is removed.
    """
    from ddspec.cli.inputs import existing_store, home_of
    from ddspec.cli.output import show, show_json
    from ddspec.cli.roots import roots_of
    from ddspec.disk import free_bytes
    from ddspec.run.clearing import Wanted, clear, look
    from ddspec.run.places import places_of

    age = _seconds(keep_newer)
    store = existing_store(home)
    if store is None:
        raise DdspecError(f"no store at `{home_of(home)}`", exit=Exit.UNABLE)
    roots = roots_of(places or (), store, ignore or (), also or ())
    if not roots.roots:
        raise DdspecError(
            f"no spec and no plan is under {', '.join(roots.places)}: everything would go",
            exit=Exit.REFUSED,
            hint="name the folders that hold them",
        )
    now = time.time()
    before = now - age if age else math.inf  # not `now`: what jobs leave is taken down meanwhile
    wanted = Wanted(roots.keys, roots.names, before, history=journal)
    cleared = (clear if delete else look)(store, wanted, places_of(store))
    free = free_bytes(store.layout.home)
    if as_json:
        show_json(_plain(store, roots, cleared, deleted=delete, free=free))
    else:
        from ddspec.console.gc_view import render_clearing

        told = _told(store, roots)
        show(render_clearing(cleared, told, now=now, deleted=delete, free=free))
    return Exit.UNABLE if cleared.failed else Exit.DONE


def _seconds(age: str) -> float:
    found = _AGE.fullmatch(age.strip())
    if found is None:
        raise DdspecError(
            f"`{age}` is no age", exit=Exit.USAGE, hint="a number and s, m, h or d: `30m`, `7d`"
        )
    return 0.0 if found[1] is None else float(found[1]) * UNITS[found[2]]


def _told(store: Store, roots: Roots) -> list[str]:
    from ddspec.console.layout import wrapped
    from ddspec.visible import visible

    loose = [root.file for root in roots.roots if not root.locked]
    count = len(roots.roots)
    kept_for = [f"{count:,} {'document' if count == 1 else 'documents'} under"]
    kept_for[0] += f" {', '.join(roots.places)}"
    if loose:
        kept_for.append(f"{len(loose):,} without a lock, never run here: {_names(loose)}")
    if roots.others:
        kept_for.append(f"{len(roots.others):,} other YAML: {_names(list(roots.others))}")
    lines = [*wrapped("store", [str(store.layout.home)], 99), *wrapped("kept for", kept_for, 99)]
    return [visible(line) for line in lines]


def _names(files: list[str]) -> str:
    return f"{files[0]} and others" if len(files) > 1 else files[0]


def _plain(
    store: Store, roots: Roots, cleared: Cleared, *, deleted: bool, free: int
) -> dict[str, Json]:
    found, reach = cleared.found, cleared.reach
    documents: list[Json] = [
        {"file": root.file, "name": root.name, "stages": len(root.keys), "locked": root.locked}
        for root in roots.roots
    ]
    return {
        "format": GC_FORMAT,
        "home": str(store.layout.home),
        "deleted": deleted,
        "roots": documents,
        "no_specs": list(roots.others),
        "kept": {
            "reached": len(reach.reached),
            "claimed": [claim.key for claim in reach.claims],
            "runs": [
                {"name": hold.name, "pid": hold.owner.pid, "host": hold.owner.host}
                for hold in reach.holds
            ],
            "newer": [thing.plain() for thing in found.young],
            "mixed": [str(path) for path in found.mixed],
        },
        "things": [thing.plain() for thing in found.things],
        "bytes": sum(thing.size.bytes for thing in found.things),
        "not_removed": [{"path": str(one.path), "why": one.reason} for one in cleared.failed],
        "free_bytes": free,
    }
