"""`ddspec plan`: compile a spec and show what would run, for review."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.drift import drift_of
from ddspec.cli.options import AsJson, Document, Home, Variants
from ddspec.cli.plan_views import Asked
from ddspec.cli.policy import PolicyFile, enforce, verdicts_on
from ddspec.errors import DdspecError, Diagnostic, Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.cli.inputs import Opened
    from ddspec.console.overview import Overview
    from ddspec.plan.forecast import Forecast
    from ddspec.plan.ir import Plan
    from ddspec.plan.policy import Verdict
    from ddspec.store.store import Store


WIDTH = 100
"""Columns of an overview where there is no terminal, or a wide one."""
NARROW = 80


class Format(StrEnum):
    """How a plan is shown."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


def plan(
    document: Document,
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="SETTING", help="With --values: a section or a glob, such as `pool`."
        ),
    ] = "",
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
    values: Annotated[
        bool, typer.Option("--values", help="List every setting, and where its value comes from.")
    ] = False,
    why: Annotated[
        str | None,
        typer.Option(
            "--why",
            metavar="LABEL",
            help="Say why a stage will run; also a range or a glob, such as `pool/0..4`, `*`.",
        ),
    ] = None,
    variants: Variants = None,
    stages: Annotated[bool, typer.Option("--stages", help="List every stage and its key.")] = False,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="List every row of the perturbation schedule.")
    ] = False,
    gpu: Annotated[
        str | None,
        typer.Option("--gpu", metavar="NAME", help="Forecast times on it: `a6000`, `h100`, `cpu`."),
    ] = None,
    gpus: Annotated[
        int, typer.Option("--gpus", min=1, metavar="N", help="How many of them a run may use.")
    ] = 1,
    form: Annotated[Format, typer.Option("--format", help="How the plan is shown.")] = Format.TEXT,
    as_json: AsJson = False,
    home: Home = None,
    policy: PolicyFile = None,
) -> Exit:
    """Show what a spec would run, for review.

    Reads no data and starts nothing.
    """
    from ddspec.cli.inputs import existing_store, open_document
    from ddspec.cli.output import say

    if pattern and not values:
        raise DdspecError(
            f"`{pattern}` names a setting, and only `--values` lists settings", exit=Exit.USAGE
        )
    if output is not None and variants:
        raise DdspecError(
            "a plan file holds all variants of its spec",
            exit=Exit.USAGE,
            hint="leave out `--variant`: `ddspec run FILE --variant NAME` chooses then",
        )
    try:
        whole = open_document(document)
    except DdspecError as error:
        if form is not Format.GITHUB or as_json:
            raise
        return _annotated(error)
    verdicts = verdicts_on(whole, document, policy)
    opened = whole.only(variants)
    if check is not None:
        return _check(document, opened, check, verdicts)
    if output is not None:
        enforce(verdicts)
        _write(opened, document, output)
        say(f"wrote {output}")
        return Exit.DONE
    store = existing_store(home)
    overview = _overview(opened, document, store, gpu, gpus)
    overview = overview.with_verdicts(verdicts, drift_of(whole))
    form = Format.JSON if as_json else form
    asked = Asked(pattern if values else None, why, stages, schedule)
    if form in (Format.MARKDOWN, Format.GITHUB):
        _show_on_github(overview, document, form)
    else:
        _show(overview, asked, store, form)
    enforce(verdicts)
    return Exit.CHANGED if exit_code and overview.left else Exit.DONE


def _overview(
    opened: Opened, document: Path, store: Store | None, gpu: str | None, gpus: int
) -> Overview:
    """Return the plan with everything that a reviewer has to see."""
    from ddspec.cli.standing import standing_of
    from ddspec.console.overview import Overview
    from ddspec.plan.said import over_variants
    from ddspec.plan.why import Why

    settings = opened.settings()
    said = {one.path: one for one in settings}
    why = Why(opened.plan, standing_of(store, opened.plan), said)
    times, tight = _forecast(opened.plan, gpu, store)
    overview = Overview(
        opened.plan,
        why,
        (*opened.notes, *tight),
        over_variants(settings, opened.plan),
        disagreements=() if opened.loaded is None else opened.loaded.disagreements,
        forecast=times,
        gpus=gpus,
        width=_width(),
    )
    return overview.with_next(_next(overview, document))


def _width() -> int:
    """Return the columns of the terminal, within those for which the overview is made."""
    import shutil
    import sys

    if not sys.stdout.isatty():
        return WIDTH
    return min(WIDTH, max(NARROW, shutil.get_terminal_size().columns))


def _forecast(
    plan: Plan, gpu: str | None, store: Store | None
) -> tuple[Forecast | None, tuple[Diagnostic, ...]]:
    """Return times on a device, and notes on stages that hardly fit into its memory.

    Without a name, on the device that stages were measured on, if any.
    Raises `DdspecError`: exit 2 for a device that is not known, exit 6 for one that is too small.
    """
    if gpu is None and store is None:
        return None, ()  # nothing was measured here
    from ddspec.plan.devices import device
    from ddspec.plan.estimate import stage_costs
    from ddspec.plan.forecast import forecast
    from ddspec.plan.placement import require_room, room_on
    from ddspec.run.measured_runs import measured_runs, usual_device

    measured = measured_runs(store)
    where = usual_device(measured) if gpu is None else device(gpu)
    if where is None:
        return None, ()
    costs = stage_costs(plan)
    room = None if gpu is None else room_on(where.name)
    notes = () if room is None else require_room(plan, room, costs=costs)
    return forecast(plan, where, measured, costs), notes


def _show(overview: Overview, asked: Asked, store: Store | None, form: Format) -> None:
    from ddspec.cli.output import show, show_json
    from ddspec.cli.plan_views import views_json, views_text

    if form is Format.JSON:
        from ddspec.console.plan_json import plan_json

        alone = asked and not asked.stages and not asked.schedule
        show_json(views_json(overview, asked) if alone else plan_json(overview))
    elif asked:
        show(views_text(overview, asked, store))
    else:
        from ddspec.console.plan_view import render_plan

        show(render_plan(overview))


def _show_on_github(overview: Overview, document: Path, form: Format) -> None:
    """Print a comment, or annotations for what a reviewer should know."""
    from ddspec.cli.output import show

    if form is Format.MARKDOWN:
        from ddspec.console.plan_markdown import plan_markdown

        show(plan_markdown(overview, str(document)))
    elif overview.notes:
        from ddspec.console.annotations import annotated

        show(annotated(overview.notes, "notice"))


def _annotated(error: DdspecError) -> Exit:
    """Print why there is no plan as annotations."""
    from ddspec.cli.output import show
    from ddspec.console.annotations import annotated

    show(annotated(error.diagnostics))
    return error.exit


def _next(overview: Overview, document: Path) -> Sequence[str]:
    """Return what a reader of the plan may do with it."""
    from ddspec.cli.inputs import PLAN_SUFFIX, is_plan_file
    from ddspec.cli.surroundings import read_from_data

    views = ["--stages", f"--values ({len(overview.settings)})", "--schedule"]
    if not overview.plan.locked:
        return [f"`ddspec lock {document} --data DIR` where the images are", *views]
    changed = [one.label for one in overview.reasons.values() if one.state == "changed"]
    views += [f"--why {changed[-1]}"] if changed else []
    if not is_plan_file(document):
        views.append(f"-o {document.with_suffix('')}{PLAN_SUFFIX}")
    if overview.missing:
        return views  # a run would be refused
    data = " --data DIR" if read_from_data(overview.plan) else ""
    return [*views, f"ddspec run {document}{data}"]


def _check(document: Path, opened: Opened, file: Path, verdicts: Sequence[Verdict]) -> Exit:
    """Compare a plan file with what its spec compiles to now; the differences are an error."""
    from ddspec.cli.inputs import is_plan_file
    from ddspec.cli.output import say
    from ddspec.plan.codec import check_plan

    check_plan(file, None if is_plan_file(document) else document)
    say(f"{file}: current, plan {opened.plan.digest[:12]}")
    for one in drift_of(opened):
        say(f"drift, no change of the plan: {one.part}: {one.message}")
    enforce(verdicts)
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
