"""`ddspec diff`: what changed between two specs, plans or results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.errors import Exit

if TYPE_CHECKING:
    from ddspec.plan.ir import Plan


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A spec or a plan file.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="A spec or a plan file.")],
    as_json: AsJson = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 4 when anything changed.")
    ] = False,
    home: Home = None,
) -> Exit:
    """Compare two specs, plans or results.

    Settings and stages are compared, and accuracies where both have results in the store.
    """
    from ddspec.cli.inputs import existing_store
    from ddspec.cli.output import show, show_json
    from ddspec.cli.report import report_of_store
    from ddspec.console.diff_view import diff_json, render_diff, render_scores
    from ddspec.plan.diff import diff as compare

    old, new = as_written(before), as_written(after)
    found = compare(old, new)
    store = existing_store(home)
    was, now = (report_of_store(plan, store).scores for plan in (old, new))
    if as_json:
        show_json(diff_json(found, was, now))
    else:
        parts = (render_diff(found, str(before), str(after)), render_scores(was, now))
        show("\n\n".join(part for part in parts if part))
    return Exit.CHANGED if exit_code and found else Exit.DONE


def as_written(path: Path) -> Plan:
    """Return what a document says, though a plan file may no longer follow from its spec.

    The very diff of the two is what a person wants to see then.
    """
    from ddspec.cli.inputs import compile_spec, is_plan_file

    if not is_plan_file(path):
        return compile_spec(path).plan
    from ddspec.plan.text import load_plan
    from ddspec.spec.source import read_source

    return load_plan(read_source(path).text, str(path))[0]
