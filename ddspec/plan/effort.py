"""What a change costs in operations: of each plan from scratch, and of what it makes new."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ddspec.plan.diff import PlanDiff
from ddspec.plan.estimate import stage_cost
from ddspec.plan.groups import total
from ddspec.plan.ir import Plan


@dataclass(frozen=True, slots=True)
class Effort:
    """Operations of two plans; None where they depend on data that are not locked."""

    before: int | None
    after: int | None
    new: int | None
    """Of the stages of the plan after that the plan before does not make as they are."""


def effort(before: Plan, after: Plan, found: PlanDiff) -> Effort:
    """Count the operations of two plans and of what changed from one to the other."""
    moved = {change.label for change in found.changes if change.status != "same"}
    return Effort(_flops(before), _flops(after), _flops(after, moved))


def _flops(plan: Plan, only: Collection[str] | None = None) -> int | None:
    stages = (stage for stage in plan if only is None or stage.label in only)
    return total(stage_cost(plan, stage.work).flops for stage in stages)
