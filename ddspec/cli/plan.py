"""`ddspec plan`: compile a spec and show what would run, for review."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Document, Home
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ddspec.canon import Digest
    from ddspec.cli.inputs import Opened
    from ddspec.plan.ir import Plan


def plan(
    document: Document,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the plan, to be committed."),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Exit 4 unless FILE is this very plan."),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 4 when something is left to run.")
    ] = False,
    stages: Annotated[bool, typer.Option("--stages", help="List every stage and its key.")] = False,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="List every row of the perturbation schedule.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Show what a spec would run, for review.

    Reads no data and starts nothing.
    """
    from ddspec.cli.inputs import existing_store, in_store, open_document
    from ddspec.cli.output import say

    opened = open_document(document)
    if check is not None:
        return _check(document, opened, check)
    if output is not None:
        _write(opened, document, output)
        say(f"wrote {output}")
        return Exit.DONE
    stored = in_store(existing_store(home), opened.plan)
    _show(opened, document, stored, as_json=as_json, stages=stages, schedule=schedule)
    left = any(not stored.get(stage.key or "", False) for stage in opened.plan)
    return Exit.CHANGED if exit_code and left else Exit.DONE


def _show(
    opened: Opened,
    document: Path,
    stored: Mapping[Digest, bool],
    *,
    as_json: bool,
    stages: bool,
    schedule: bool,
) -> None:
    from ddspec.cli.output import show, show_json
    from ddspec.console.plan_view import plan_json, render_plan
    from ddspec.console.stages_view import render_schedule, render_stages

    if as_json:
        show_json(plan_json(opened.plan, stored))
        return
    if stages:
        show(render_stages(opened.plan, stored))
    if schedule:
        show(render_schedule(opened.plan))
    if not stages and not schedule:
        show(render_plan(opened.plan, stored, opened.notes, _next(opened.plan, document)))


def _next(plan: Plan, document: Path) -> Sequence[str]:
    """Return what a reader of the plan may do with it."""
    from ddspec.cli.inputs import PLAN_SUFFIX, is_plan_file

    if not plan.locked:
        return [f"`ddspec lock {document} --data DIR` where the images are"]
    views = ["--stages", "--schedule"]
    if not is_plan_file(document):
        views.append(f"-o {document.with_suffix('')}{PLAN_SUFFIX}")
    return [*views, f"ddspec run {document}"]


def _check(document: Path, opened: Opened, file: Path) -> Exit:
    """Compare a plan file with what its spec compiles to now; the differences are an error."""
    from ddspec.cli.inputs import is_plan_file
    from ddspec.cli.output import say
    from ddspec.plan.codec import check_plan

    check_plan(file, None if is_plan_file(document) else document)
    say(f"{file}: current, plan {opened.plan.digest[:12]}")
    return Exit.DONE


def _write(opened: Opened, document: Path, output: Path) -> None:
    from ddspec.cli.inputs import is_plan_file
    from ddspec.plan.codec import write_plan

    if not output.parent.is_dir():
        raise DdspecError(f"`{output.parent}` is not a folder", exit=Exit.UNABLE)
    if output.is_symlink() or (output.exists() and not output.is_file()):
        raise DdspecError(f"`{output}` is not a regular file", exit=Exit.USAGE)
    if output.exists() and not is_plan_file(output):
        raise DdspecError(
            f"`{output}` is no plan file, and writing the plan would replace it",
            exit=Exit.USAGE,
            hint="name another file, or remove this one",
        )
    try:
        write_plan(opened.plan, output, spec=None if is_plan_file(document) else document)
    except OSError as error:
        raise DdspecError(f"cannot write `{output}`: {error.strerror}", exit=Exit.UNABLE) from error
