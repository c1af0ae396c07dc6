"""`ddspec diff`: what changed between two specs, plans or results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.canon import Digest
    from ddspec.plan.diff import PlanDiff
    from ddspec.plan.ir import Plan
    from ddspec.run.scores import Score
    from ddspec.store.store import Store


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two documents that are compared."""

    path: Path
    digest: Digest
    """Of its plan."""
    scores: Sequence[Score]
    plan: Plan | None
    """None for a file of results, which says nothing of settings."""


def diff(
    before: Annotated[
        Path, typer.Argument(metavar="A", help="A spec, a plan file, or results saved as JSON.")
    ],
    after: Annotated[Path, typer.Argument(metavar="B", help="The same, as it is now.")],
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
    from ddspec.cli.output import show, show_json
    from ddspec.console.diff_view import diff_json, render_diff, render_results_diff
    from ddspec.console.scores_view import render_scores
    from ddspec.plan.effort import effort

    store = existing_store(home)
    old, new = _side(before, store), _side(after, store)
    found = _compared(old, new)
    changed = old.digest != new.digest if found is None else bool(found)
    if as_json:
        plans = (old.digest, new.digest)
        show_json(diff_json(found, old.scores, new.scores, plans=plans, changed=changed))
    else:
        names = (str(before), str(after))
        head = render_results_diff(*names, changed=changed)
        if found is not None and old.plan is not None and new.plan is not None:
            head = render_diff(found, *names, effort(old.plan, new.plan, found))
        parts = (head, render_scores(old.scores, new.scores))
        show("\n\n".join(part for part in parts if part))
    return Exit.CHANGED if exit_code and changed else Exit.DONE


def as_written(path: Path) -> Plan:
    """Return what a document says, though a plan file may no longer follow from its spec.

    The very diff of the two is what a person wants to see then.
    """
    from ddspec.cli.inputs import compile_spec, is_plan_file

    if not is_plan_file(path):
        return compile_spec(path).plan
    from ddspec.plan.codec import plan_text
    from ddspec.plan.text import load_plan

    return load_plan(plan_text(path), str(path))[0]


def _side(path: Path, store: Store | None) -> Side:
    from ddspec.cli.report import report_of_store
    from ddspec.run.measured import is_measured, read_measured

    if is_measured(path):
        measured = read_measured(path)
        return Side(path, measured.plan, measured.scores, None)
    plan = as_written(path)
    return Side(path, plan.digest, report_of_store(plan, store).scores, plan)


def _compared(old: Side, new: Side) -> PlanDiff | None:
    """Return what changed from plan to plan; None where one side has results alone."""
    from ddspec.plan.diff import diff as compare

    if old.plan is None or new.plan is None:
        return None
    return compare(old.plan, new.plan)
