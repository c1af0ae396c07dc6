"""Whether stages fit into the memory of a device, and what would if they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.plan.devices import DEVICES, GIB, fitting
from ddspec.plan.estimate import Cost, stage_cost, stage_costs
from ddspec.plan.ir import Plan, Stage
from ddspec.plan.labels import folded
from ddspec.spec.method import GradientMatcherSpec, TrajectoryMatcherSpec
from ddspec.wire.work import DistillWork, EvaluateWork, PretrainWork, PruneWork, Work

CONTEXT_BYTES = GIB // 2
"""What CUDA, its libraries and their scratch space take before the first tensor."""
HOST_BYTES = GIB // 2
"""What Python and torch take on a CPU."""
SURE = 1.25
"""A stage that needs so many times what there is cannot run; below it a forecast may err."""
DEVICES_NAMED = 5
STAGES_NAMED = 4


@dataclass(frozen=True, slots=True)
class Room:
    """The memory that one job can have, and what it is called."""

    title: str
    memory_bytes: int
    accelerator: bool = True

    def needed(self, cost: Cost) -> int:
        """Return what a stage takes of such memory."""
        if self.accelerator:
            return cost.memory_bytes + CONTEXT_BYTES
        return cost.memory_bytes - cost.resident_bytes + HOST_BYTES


def room_on(name: str) -> Room | None:
    """Return the memory of a device of the table; None where it depends on the machine."""
    found = DEVICES[name]
    return None if found.memory_bytes is None else Room(found.title, found.memory_bytes)


def misfits(
    plan: Plan,
    room: Room,
    *,
    costs: Mapping[str, Cost] | None = None,
    stages: Sequence[Stage] | None = None,
) -> tuple[tuple[Diagnostic, ...], tuple[Diagnostic, ...]]:
    """Return errors and notes on stages that need more memory than there is.

    Stages that need the same are told of once. Of `stages`, by default all of the plan.
    """
    costs = stage_costs(plan) if costs is None else costs
    groups: dict[tuple[str, int], list[Stage]] = {}
    for stage in plan.stages if stages is None else stages:
        needed = room.needed(costs[stage.label])
        if costs[stage.label].memory_bytes and needed > room.memory_bytes:
            groups.setdefault((stage.work.kind, needed), []).append(stage)
    told = {needed: _told(plan, found, needed, room) for (_, needed), found in groups.items()}
    sure = SURE * room.memory_bytes
    return (
        tuple(one for needed, one in told.items() if needed > sure),
        tuple(one for needed, one in told.items() if needed <= sure),
    )


def require_room(
    plan: Plan,
    room: Room,
    *,
    costs: Mapping[str, Cost] | None = None,
    stages: Sequence[Stage] | None = None,
) -> tuple[Diagnostic, ...]:
    """Return notes on stages that hardly fit; raise DdspecError (exit 6) for those that cannot."""
    errors, notes = misfits(plan, room, costs=costs, stages=stages)
    if errors:
        raise DdspecError(errors, exit=Exit.UNABLE)
    return notes


def _told(plan: Plan, stages: Sequence[Stage], needed: int, room: Room) -> Diagnostic:
    alike = sorted((stage.label for stage in stages), key=lambda label: label.partition("@")[2])
    names = folded(alike)
    more = f" and {len(names) - STAGES_NAMED} more" if len(names) > STAGES_NAMED else ""
    labels = ", ".join(f"`{name}`" for name in names[:STAGES_NAMED]) + more
    verb = "needs" if len(stages) == 1 else "need"
    return Diagnostic(
        f"{labels} {verb} {_size(needed)} of memory, {room.title} has {_size(room.memory_bytes)}",
        hint=_hint(plan, stages[0], needed, room),
    )


def _hint(plan: Plan, stage: Stage, needed: int, room: Room) -> str:
    parts = []
    if room.accelerator:
        names = [found.name for found in fitting(needed)]
        more = f" and {len(names) - DEVICES_NAMED} more" if len(names) > DEVICES_NAMED else ""
        fits = f"fits: {', '.join(names[:DEVICES_NAMED])}{more}"
        parts.append(fits if names else "no device known here fits")
    changes = list(_changes(plan, stage, room))
    if changes:
        parts.append(f"or change what is computed: {', '.join(changes)}")
    return "; ".join(parts) or "give it more memory"


def _changes(plan: Plan, stage: Stage, room: Room) -> Iterator[str]:
    """Yield settings under which a stage would fit, each for itself; of a number the largest."""
    variant = next(one for one in plan.variants if stage.label in (one.labels or {stage.label}))
    alone = Plan(plan.name, (replace(variant, labels=()),), ())
    named: set[str] = set()
    for setting, value, work in _smaller(stage.work):
        needed = room.needed(stage_cost(alone, work))
        if setting not in named and needed <= room.memory_bytes:
            named.add(setting)
            yield f"`{setting}: {value}` ({_size(needed)})"


def _smaller(work: Work) -> Iterator[tuple[str, str, Work]]:
    """Yield settings that hold less, with the work that they give, largest first."""
    match work:
        case DistillWork(matcher=GradientMatcherSpec() as matcher):
            for most in _halves(matcher.max_views):
                changed = matcher.model_copy(update={"max_views": most})
                yield "matcher.max_views", str(most), work.model_copy(update={"matcher": changed})
        case DistillWork(matcher=TrajectoryMatcherSpec() as matcher):
            for gradient in ("recomputed", "tesla"):
                other = matcher.model_copy(update={"gradient": gradient})
                yield "matcher.gradient", gradient, work.model_copy(update={"matcher": other})
        case PretrainWork() | PruneWork():
            section = "pool" if "pool" in work.seed else "evaluate.baselines.features"
            for batch in _halves(work.batch):
                yield f"{section}.batch", str(batch), work.model_copy(update={"batch": batch})
        case EvaluateWork(protocol=protocol):
            for batch in _halves(protocol.batch):
                shorter = protocol.model_copy(update={"batch": batch})
                told = work.model_copy(update={"protocol": shorter})
                yield "evaluate.protocol.batch", str(batch), told
        case _:
            pass
    if isinstance(work, DistillWork | PretrainWork | EvaluateWork) and work.precision == "float64":
        yield "precision", "float32", work.model_copy(update={"precision": "float32"})


def _halves(number: int) -> Iterator[int]:
    while number > 1:
        number //= 2
        yield number


def _size(size: int) -> str:
    return f"{size / GIB:.0f} GiB" if size >= 10 * GIB else f"{size / GIB:.1f} GiB"
