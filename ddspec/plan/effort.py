"""What a change costs: both plans from scratch, and what it makes new."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ddspec.canon import Json
from ddspec.plan.devices import Device
from ddspec.plan.diff import PlanDiff
from ddspec.plan.estimate import Cost, stage_costs
from ddspec.plan.forecast import Forecast, Measured, Span, forecast
from ddspec.plan.groups import total
from ddspec.plan.ir import Plan


@dataclass(frozen=True, slots=True)
class Clock:
    """What times are forecast for; without a device there are none."""

    device: Device | None = None
    measured: Sequence[Measured] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What some stages of a plan take; None where it depends on data that are not locked."""

    flops: int | None = 0
    memory_bytes: int = 0
    """Of the largest of them."""
    disk_bytes: int | None = 0
    device_seconds: Span | None = None
    """Of one device; None also where no device is asked for."""

    def plain(self) -> dict[str, Json]:
        """Return it as JSON has it."""
        span = self.device_seconds
        return {
            "flops": self.flops,
            "memory_bytes": self.memory_bytes,
            "disk_bytes": self.disk_bytes,
            "device_s": None if span is None else span.plain(),
        }


@dataclass(frozen=True, slots=True)
class Effort:
    """What two plans take; None for one that does not exist."""

    before: Taken | None
    after: Taken | None
    new: Taken | None
    """Of the stages of the plan after that the plan before does not make as they are."""
    clock: Clock = field(default_factory=Clock)


def effort(
    before: Plan | None, after: Plan | None, found: PlanDiff | None, clock: Clock | None = None
) -> Effort:
    """Count what two plans take, and what changed from one to the other."""
    clock = clock or Clock()
    moved: set[str] | None = None
    if found is not None:
        moved = {change.label for change in found.changes if change.status != "same"}
    old = None if before is None else _Counted.of(before, clock)
    new = None if after is None else _Counted.of(after, clock)
    return Effort(
        before=None if old is None else old.taken(),
        after=None if new is None else new.taken(),
        new=None if new is None or moved is None else new.taken(moved),
        clock=clock,
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """The costs of all stages of a plan, counted once."""

    costs: Mapping[str, Cost]
    times: Forecast | None

    @classmethod
    def of(cls, plan: Plan, clock: Clock) -> _Counted:
        costs = stage_costs(plan)
        if clock.device is None:
            return cls(costs, None)
        return cls(costs, forecast(plan, clock.device, clock.measured, costs))

    def taken(self, only: Collection[str] | None = None) -> Taken:
        """Return what all stages take, or those of some labels."""
        costs = [cost for label, cost in self.costs.items() if only is None or label in only]
        return Taken(
            flops=total(cost.flops for cost in costs),
            memory_bytes=max((cost.memory_bytes for cost in costs), default=0),
            disk_bytes=total(cost.output_bytes for cost in costs),
            device_seconds=None if self.times is None else self.times.total(only),
        )
