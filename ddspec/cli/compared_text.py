"""A branch's specs compared with where it began, as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddspec.cli.compared import Compared
from ddspec.cli.sides import written
from ddspec.console.diff_view import render_diff
from ddspec.plan.diff import diff
from ddspec.plan.effort import Clock, effort
from ddspec.visible import visible_lines


def branch_text(base: str, every: Sequence[Compared], clock: Clock) -> str:
    """Return one block for each spec."""
    if not every:
        return f"no spec differs from {base}"
    return "\n\n".join("\n".join(_block(base, one, clock)) for one in every)


def _block(base: str, one: Compared, clock: Clock) -> Iterator[str]:
    report = one.report
    if one.problems:
        yield f"{report.path}: cannot be compiled"
        yield from (visible_lines(str(problem)) for problem in one.problems)
    elif one.before is not None and one.after is not None:
        found = diff(one.before.plan, one.after.plan)
        cost = effort(one.before.plan, one.after.plan, found, clock)
        where = written(one.before, one.after)
        yield render_diff(found, f"{base}:{report.was or report.path}", report.path, cost, where)
    else:
        stages = sum(report.counts.values())
        yield f"{report.path}: {report.status}" + (f", {stages} stages" if stages else "")
    yield from (f" drift: {row.message}" for row in report.drift)
    if report.plan_file is not None and report.plan_file.state != "current":
        yield f" {report.plan_file.path} is {report.plan_file.state}"
        yield from (f"  {reason}" for reason in report.plan_file.reasons)
