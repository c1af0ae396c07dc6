"""`ddspec verify`: read everything in the store again."""

from __future__ import annotations

from typing import Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.errors import DdspecError, Exit


def verify(
    store: Annotated[
        bool, typer.Option("--store", help="Rehash every file of every stored output.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Rehash what is in the store.

    What is damaged is made again by `ddspec run`.
    """
    from ddspec.cli.inputs import existing_store, home_of
    from ddspec.cli.output import show, show_json

    if not store:
        raise DdspecError("nothing to verify", exit=Exit.USAGE, hint="give `--store`")
    opened = existing_store(home)
    if opened is None:
        raise DdspecError(f"no store at `{home_of(home)}`", exit=Exit.UNABLE)
    found = dict(opened.objects.verify_all())
    damaged = {key: problem for key, problem in found.items() if problem is not None}
    if as_json:
        show_json({"format": "ddspec.verify/1", "objects": len(found), "damaged": damaged})
    else:
        lines = [f"{key[:16]}  {problem}" for key, problem in damaged.items()]
        show("\n".join([*lines, f"{len(found)} objects, {len(damaged)} damaged"]))
    return Exit.FAILED if damaged else Exit.DONE
