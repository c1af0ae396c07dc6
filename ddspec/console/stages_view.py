"""A plan in full: every stage with its key, every row of the perturbation schedule."""

from __future__ import annotations

from ddspec.console.overview import Overview
from ddspec.plan.ir import Plan
from ddspec.plan.labels import folded
from ddspec.spec.method import StatisticsMatcherSpec
from ddspec.wire.schedule import NANO, ScheduleRow


def render_stages(overview: Overview) -> str:
    """Return one line a stage: head of its key, label, its state, what it needs."""
    width = max(len(stage.label) for stage in overview.plan)
    lines = [f" {'key':<16}  {'stage':<{width}}  {'store':<10}  needs"]
    for stage in overview.plan:
        key, reason = stage.key or "after lock", overview.reasons.get(stage.label)
        state = "-" if reason is None or stage.key is None else reason.state
        needs = ", ".join(folded(stage.upstream.values()))
        lines.append(f" {key[:16]:<16}  {stage.label:<{width}}  {state:<10}  {needs}".rstrip())
    return "\n".join(lines)


def render_schedule(plan: Plan) -> str:
    """Return one line an outer loop: pool member, and coefficient and seed of each direction.

    Under statistics matching a line is one of the networks of an image index.
    """
    works = plan.distillation()
    if not works:
        return " nothing is distilled, so there is no schedule"
    schedule, stop = works[0].schedule, works[-1].rows.stop
    unit = "row" if isinstance(works[0].matcher, StatisticsMatcherSpec) else "loop"
    head = [f" {unit:>5}  {'member':>6}  coefficient:seed of each direction"]
    return "\n".join([*head, *(_row(row) for row in schedule.rows(0, stop))])


def _row(row: ScheduleRow) -> str:
    directions = (
        f"{coefficient / NANO:+.9f}:{seed:016x}"
        for coefficient, seed in zip(row.coefficients, row.directions, strict=True)
    )
    return f" {row.loop:>5}  {row.member:>6}  {'  '.join(directions)}".rstrip()
