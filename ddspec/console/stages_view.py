"""A plan in full: every stage with its key, every row of the perturbation schedule."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.canon import Digest
from ddspec.plan.ir import Plan
from ddspec.plan.labels import folded
from ddspec.wire.schedule import NANO, ScheduleRow


def render_stages(plan: Plan, in_store: Mapping[Digest, bool]) -> str:
    """Return one line a stage: head of its key, label, whether it is stored, what it needs."""
    width = max(len(stage.label) for stage in plan)
    lines = [f" {'key':<16}  {'stage':<{width}}  {'store':<5}  needs"]
    for stage in plan:
        key = stage.key or "after lock"
        stored = "yes" if in_store.get(stage.key or "", False) else "run"
        needs = ", ".join(folded(stage.upstream.values()))
        lines.append(f" {key[:16]:<16}  {stage.label:<{width}}  {stored:<5}  {needs}".rstrip())
    return "\n".join(lines)


def render_schedule(plan: Plan) -> str:
    """Return one line an outer loop: pool member, and coefficient and seed of each direction."""
    schedule = plan.distillation()[0].schedule
    stop = plan.distillation()[-1].stop
    head = [f" {'loop':>5}  {'member':>6}  coefficient:seed of each direction"]
    return "\n".join([*head, *(_row(row) for row in schedule.rows(0, stop))])


def _row(row: ScheduleRow) -> str:
    directions = (
        f"{coefficient / NANO:+.9f}:{seed:016x}"
        for coefficient, seed in zip(row.coefficients, row.directions, strict=True)
    )
    return f" {row.loop:>5}  {row.member:>6}  {'  '.join(directions)}".rstrip()
