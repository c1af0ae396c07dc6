"""The command line: its verbs, and `main`.

Verbs import what they work with inside their functions, so that `--help` and each verb load only
what they need; the modules of this package import nothing heavier than typer at the top.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from ddspec.cli.boundary import bounded
from ddspec.cli.comment import comment
from ddspec.cli.data import data
from ddspec.cli.diff import diff
from ddspec.cli.doctor import doctor
from ddspec.cli.explain import explain
from ddspec.cli.export import export
from ddspec.cli.gallery import gallery
from ddspec.cli.gc import gc
from ddspec.cli.image import image
from ddspec.cli.imports import import_set
from ddspec.cli.init import init
from ddspec.cli.lock import lock
from ddspec.cli.logs import logs
from ddspec.cli.output import open_streams
from ddspec.cli.plan import plan
from ddspec.cli.plot import plot
from ddspec.cli.policy import policy
from ddspec.cli.report_page import report
from ddspec.cli.results import results
from ddspec.cli.run import run
from ddspec.cli.schema import schema
from ddspec.cli.status import status
from ddspec.cli.validate import validate
from ddspec.cli.verify import verify
from ddspec.errors import Exit

VERBS: dict[str, Callable[..., Exit]] = {
    "plan": plan,
    "run": run,
    "diff": diff,
    "comment": comment,
    "init": init,
    "validate": validate,
    "policy": policy,
    "explain": explain,
    "schema": schema,
    "results": results,
    "report": report,
    "plot": plot,
    "export": export,
    "import": import_set,
    "status": status,
    "logs": logs,
    "gc": gc,
    "gallery": gallery,
    "lock": lock,
    "verify": verify,
    "doctor": doctor,
}
"""In the order of `--help`: the product first."""

GROUPS: dict[str, typer.Typer] = {"data": data, "image": image}
"""Verbs of verbs, listed after the others."""

EPILOG = (
    "Exit codes: 0 done, 1 a stage failed, 2 usage, 3 invalid spec or plan, 4 something changed, "
    "5 refused, 6 environment not able, 130 interrupted."
)


def main() -> int:
    """Run the command line on `sys.argv` and exit with the code of the verb."""
    # A plugin would look into every spec, and finding that there is none takes a while too.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    open_streams()
    _app(sys.argv[1:])(prog_name="ddspec")
    return Exit.DONE


def _app(arguments: Sequence[str]) -> typer.Typer:
    """Return the application with the verb that the arguments begin with, otherwise with all.

    Typer looks into the parameters of all verbs that it is given, which is slow.
    """
    asked = arguments[0] if arguments else ""
    app = typer.Typer(
        help="Dataset distillation as a reviewed plan: plan it, run it, compare it.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    every = asked not in {*VERBS, *GROUPS}
    for name, verb in VERBS.items():
        if every or name == asked:
            app.command(name)(bounded(verb))
    for name, group in GROUPS.items():
        if every or name == asked:
            app.add_typer(group, name=name)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from ddspec import __version__
        from ddspec.cli.output import show

        show(f"ddspec {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    pass
