"""`ddspec diff`: what changed between two specs, plans or results, or on a whole branch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.cli.policy import PolicyFile
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.cli.diff_results import Beside
    from ddspec.cli.sides import Side
    from ddspec.console.review import Review
    from ddspec.plan.diff import PlanDiff
    from ddspec.plan.effort import Clock


class Format(StrEnum):
    """How a difference is shown."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


def diff(
    documents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B",
            help="Specs, plan files or results as JSON; `REV:PATH` is read from git, and `REV:` "
            "stands for the other's path; `PATH@VARIANT` is one variant of a matrix. With --base: "
            "specs or folders, by default `specs`.",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base", metavar="REV", help="Compare specs with where this branch left a revision."
        ),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="`markdown` is a pull request's comment.")
    ] = Format.TEXT,
    gpu: Annotated[
        str | None, typer.Option("--gpu", metavar="NAME", help="Forecast times on it: `a6000`.")
    ] = None,
    repository: Annotated[
        str, typer.Option("--repository", metavar="URL", help="Where Markdown links to files.")
    ] = "",
    as_json: AsJson = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 4 when anything changed.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Compare accuracies that are not alike as well, and mark each row."
        ),
    ] = False,
    home: Home = None,
    policy: PolicyFile = None,
) -> Exit:
    """Compare two specs, plans or results.

    Settings and stages are compared, and accuracies where both have results: in the store, or in
    a file that `run --json` or `results --json` printed. Results of another protocol, test set,
    label kind or budget are not compared.
    """
    form = Format.JSON if as_json else form
    named = documents or []
    clock = _clock(gpu)
    if base is not None:
        return _branch(base, named, form, clock, repository, policy, exit_code=exit_code)
    if len(named) != 2:
        raise DdspecError(
            f"two documents are compared, and {len(named)} are named",
            exit=Exit.USAGE,
            hint="`ddspec diff A B`, or `ddspec diff --base REV`",
        )
    shown = _Shown(form, clock, repository, force)
    return _pair((named[0], named[1]), shown, home, policy, exit_code=exit_code)


@dataclass(frozen=True, slots=True)
class _Shown:
    """How a comparison is shown, as options say."""

    form: Format
    clock: Clock
    repository: str
    force: bool


def _pair(
    named: tuple[str, str],
    shown: _Shown,
    home: Path | None,
    policy: Path | None,
    *,
    exit_code: bool,
) -> Exit:
    from ddspec.cli.diff_results import beside
    from ddspec.cli.inputs import existing_store
    from ddspec.cli.output import say, show
    from ddspec.cli.sides import open_side, targets_of

    store = existing_store(home)
    targets = targets_of(*named)
    for target in targets:
        if target.note:
            say(f"note: {target.note}")
    old, new = (open_side(target, store) for target in targets)
    found = _compared(old, new)
    changed = old.digest != new.digest if found is None else bool(found)
    if shown.form is Format.MARKDOWN or shown.form is Format.GITHUB:
        review = _review_of(old, new, shown.clock, policy)
        _show_review(review, shown.form, shown.repository)
        if _is_denied(review):
            return Exit.REFUSED
    else:
        results = beside(old, new, force=shown.force)
        if old.plan is None and new.plan is None and not shown.force:
            results.require_some()
        show(_text_of(old, new, found, results, shown, changed=changed))
    return Exit.CHANGED if exit_code and changed else Exit.DONE


def _text_of(
    old: Side,
    new: Side,
    found: PlanDiff | None,
    results: Beside,
    shown: _Shown,
    *,
    changed: bool,
) -> str:
    from ddspec.cli.output import json_text
    from ddspec.cli.sides import written
    from ddspec.console.diff_view import diff_json, render_diff, render_results_diff
    from ddspec.console.scores_view import render_scores, scores_json
    from ddspec.plan.effort import effort

    cost = None
    if found is not None and old.plan is not None and new.plan is not None:
        cost = effort(old.plan, new.plan, found, shown.clock)
    where = written(old.opened, new.opened)
    if shown.form is Format.JSON:
        plans, scores = (old.digest, new.digest), scores_json(results.paired, results.told)
        told = diff_json(found, scores, plans=plans, changed=changed, cost=cost, where=where)
        return json_text(told)
    names = (old.target.name, new.target.name)
    head = render_results_diff(*names, changed=changed)
    if found is not None:
        head = render_diff(found, *names, cost, where)
    parts = (head, render_scores(results.paired, results.told))
    return "\n\n".join(part for part in parts if part)


def _is_denied(review: Review) -> bool:
    """Tell whether a policy denies what is reviewed."""
    return any(row.outcome == "deny" for report in review.reports for row in report.policy)


def _review_of(old: Side, new: Side, clock: Clock, policy: Path | None) -> Review:
    """Return the report of two documents as a review of one."""
    from ddspec.cli.compared import drifted, judged, version_of
    from ddspec.console.review import Review, Revision, line
    from ddspec.console.review_report import Beside, report_of

    if old.opened is None or new.opened is None:
        raise DdspecError(
            "results have no settings to review", exit=Exit.USAGE, hint="compare specs or plans"
        )
    sides = []
    for side in (old, new):
        revision = side.target.revision
        name = "working tree" if revision is None else revision.name
        commit = None if revision is None else revision.commit
        sides.append(Revision(name=line(name), commit=commit))
    prefixes = [f"{side.name}:" for side in sides]
    before = version_of(old.opened, lambda file: file.removeprefix(prefixes[0]))
    after = version_of(new.opened, lambda file: file.removeprefix(prefixes[1]))
    was = old.target.path if old.target.path != new.target.path else None
    beside = Beside(
        was=was,
        policy=judged(new.opened, Path(new.target.path), policy),
        drift=drifted(old.opened, new.opened),
        clock=clock,
    )
    report = report_of(new.target.path, before, after, beside)
    return Review(base=sides[0], head=sides[1], reports=(report,))


def _branch(
    base: str,
    named: Sequence[str],
    form: Format,
    clock: Clock,
    repository: str,
    policy: Path | None,
    *,
    exit_code: bool,
) -> Exit:
    from ddspec.cli.compared import compared_with
    from ddspec.cli.output import show

    review, every = compared_with(base, named, clock, policy)
    if form is Format.TEXT:
        from ddspec.cli.compared_text import branch_text

        show(branch_text(base, every, clock))
    else:
        _show_review(review, form, repository)
    if any(one.problems for one in every):
        return Exit.INVALID
    if _is_denied(review):
        return Exit.REFUSED
    changed = any(one.report.status != "same" for one in every)
    return Exit.CHANGED if exit_code and changed else Exit.DONE


def _show_review(review: Review, form: Format, repository: str) -> None:
    from ddspec.cli.output import show, show_json

    if form is Format.JSON:
        show_json(review.model_dump(mode="json"))
    elif form is Format.GITHUB:
        from ddspec.console.annotations import review_annotations

        show(review_annotations(review))
    else:
        from ddspec.console.links import Links
        from ddspec.console.markdown import review_markdown

        show(review_markdown(review, Links(repository)))


def _clock(gpu: str | None) -> Clock:
    from ddspec.plan.effort import Clock

    if gpu is None:
        return Clock()
    from ddspec.plan.devices import device

    return Clock(device(gpu))


def _compared(old: Side, new: Side) -> PlanDiff | None:
    """Return what changed from plan to plan; None where one side has results alone."""
    from ddspec.plan.diff import diff as compare

    if old.plan is None or new.plan is None:
        return None
    return compare(old.plan, new.plan)
