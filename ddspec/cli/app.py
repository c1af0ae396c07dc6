"""The command line: its verbs, and `main`.

Verbs import what they work with inside their functions, so that `--help` and each verb load only
what they need; the modules of this package import nothing heavier than typer at the top.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Annotated

import typer

from ddspec.cli.boundary import bounded
from ddspec.cli.comment import comment
from ddspec.cli.data import data
from ddspec.cli.diff import diff
from ddspec.cli.doctor import doctor
from ddspec.cli.explain import explain
from ddspec.cli.image import image
from ddspec.cli.init import init
from ddspec.cli.lock import lock
from ddspec.cli.output import open_streams
from ddspec.cli.plan import plan
from ddspec.cli.policy import policy
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
    "status": status,
    "lock": lock,
    "verify": verify,
    "doctor": doctor,
}
"""In the order of `--help`: the product first."""

EPILOG = (
    "Exit codes: 0 done, 1 a stage failed, 2 usage, 3 invalid spec or plan, 4 something changed, "
    "5 refused, 6 environment not able, 130 interrupted."
)

# A command is short and makes few cycles; collecting at every 700 objects costs a tenth of it.
GC_THRESHOLD = 50_000


def main() -> int:
    """Run the command line on `sys.argv` and exit with the code of the verb."""
    gc.set_threshold(GC_THRESHOLD)
    open_streams()
    _app()(prog_name="ddspec")
    return Exit.DONE


def _app() -> typer.Typer:
    app = typer.Typer(
        help="Dataset distillation as a reviewed plan: plan it, run it, compare it.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for name, verb in VERBS.items():
        app.command(name)(bounded(verb))
    app.add_typer(data, name="data")
    app.add_typer(image, name="image")
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
