"""`ddspec diff`: what changed between two specs, plans or results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.errors import Exit

if TYPE_CHECKING:
    from ddspec.cli.sides import Side
    from ddspec.plan.diff import PlanDiff


def diff(
    before: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A spec, a plan file, or results as JSON; `REV:PATH` is read from git.",
        ),
    ],
    after: Annotated[
        str, typer.Argument(metavar="B", help="The same; `REV:` stands for `REV:` and A's path.")
    ],
    as_json: AsJson = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 4 when anything changed.")
    ] = False,
    home: Home = None,
) -> Exit:
    """Compare two specs, plans or results.

    Settings and stages are compared, and accuracies where both have results: in the store, or in
    a file that `run --json` or `results --json` printed.
    """
    from ddspec.cli.inputs import existing_store
    from ddspec.cli.output import say, show, show_json
    from ddspec.cli.sides import open_side, targets_of
    from ddspec.console.diff_view import diff_json, render_diff, render_results_diff
    from ddspec.console.scores_view import render_scores
    from ddspec.plan.effort import effort

    store = existing_store(home)
    targets = targets_of(before, after)
    for target in targets:
        if target.note:
            say(f"note: {target.note}")
    old, new = (open_side(target, store) for target in targets)
    found = _compared(old, new)
    changed = old.digest != new.digest if found is None else bool(found)
    if as_json:
        plans = (old.digest, new.digest)
        show_json(diff_json(found, old.scores, new.scores, plans=plans, changed=changed))
    else:
        names = (old.target.name, new.target.name)
        head = render_results_diff(*names, changed=changed)
        if found is not None and old.plan is not None and new.plan is not None:
            head = render_diff(found, *names, effort(old.plan, new.plan, found))
        parts = (head, render_scores(old.scores, new.scores))
        show("\n\n".join(part for part in parts if part))
    return Exit.CHANGED if exit_code and changed else Exit.DONE


def _compared(old: Side, new: Side) -> PlanDiff | None:
    """Return what changed from plan to plan; None where one side has results alone."""
    from ddspec.plan.diff import diff as compare

    if old.plan is None or new.plan is None:
        return None
    return compare(old.plan, new.plan)
