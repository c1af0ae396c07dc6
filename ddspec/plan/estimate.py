"""What a plan costs, counted: operations, bytes and memory by formula, never times."""

from __future__ import annotations

from typing import assert_never

from ddspec.plan.cost_stages import Cost, Counting
from ddspec.plan.cost_tally import WIDTHS
from ddspec.plan.ir import Plan, Variant
from ddspec.spec.baselines import REAL
from ddspec.wire.work import (
    CheckpointWork,
    DistillWork,
    EvaluateWork,
    ImportWork,
    MergeWork,
    PrepareWork,
    PretrainWork,
    PruneWork,
    RelabelWork,
    RoundWork,
    SelectWork,
    Work,
)

__all__ = [
    "WIDTHS",
    "Cost",
    "inner_step_flops",
    "shard_speedup",
    "stage_cost",
    "stage_costs",
]


def stage_cost(plan: Plan, work: Work) -> Cost:
    """Count one work of a plan of one variant.

    A training image costs 3 forward passes without the stem's input gradient, a real image of
    matching the same, a synthetic one 8 (see `NetworkCost`).
    """
    count = Counting(plan)
    match work:
        case PrepareWork():
            return count.prepare(work)
        case PretrainWork():
            return count.pretrain(work)
        case CheckpointWork():
            return count.checkpoint(work)
        case PruneWork():
            return count.prune(work)
        case DistillWork():
            return count.distill(work)
        case ImportWork():
            return count.imported(work)
        case SelectWork():
            return count.select(work)
        case MergeWork():
            return count.merge()
        case RoundWork():
            return count.rounding()
        case RelabelWork():
            return count.relabel(work)
        case EvaluateWork():
            return count.evaluate(work)
        case _:
            assert_never(work)


def stage_costs(plan: Plan) -> dict[str, Cost]:
    """Return what each stage of a plan takes, by label; one shared by variants is counted once."""
    costs: dict[str, Cost] = {}
    alike: dict[tuple[object, ...], Cost] = {}
    for variant in plan.variants:
        alone = Plan(plan.name, (variant,), ())
        ground = _ground(variant)
        for label in variant.labels or (stage.label for stage in plan):
            if label not in costs:
                work = plan.stage(label).work
                found = (ground, *_bearing(work))
                if found not in alike:
                    alike[found] = stage_cost(alone, work)
                costs[label] = alike[found]
    return {stage.label: costs[stage.label] for stage in plan}


def _ground(variant: Variant) -> tuple[object, ...]:
    """Return what costs depend on besides a work: objects that variants share where alike."""
    asked = variant.experiment
    sections = (variant.data, asked.budget, asked.parameterization, asked.loops, asked.pool)
    labels = None if asked.labels is None else id(asked.labels)
    return (*map(id, sections), labels, asked.evaluate.on, asked.precision)


def _bearing(work: Work) -> tuple[object, ...]:
    """Return what the cost of a work depends on: rates, seeds and schedules are not in it."""
    told: tuple[object, ...]
    match work:
        case PretrainWork():
            told = (work.network, work.record, work.sharpness, work.augmentation, work.optimizer)
            more = (work.cutmix, work.events, work.record_precision)
            return (work.kind, *map(id, told), work.epochs, work.batch, *more)
        case DistillWork():
            told = (work.network, work.classes, work.inner, work.matcher, work.networks)
            aug, loops = work.training_augmentation, (work.start, work.stop, work.inner_steps)
            return (work.kind, *map(id, told), id(aug), id(work.update), *loops, work.cutmix)
        case EvaluateWork():
            told = (work.network, work.protocol, work.teachers)
            real = not REAL.isdisjoint(map(str, work.seed))
            return (work.kind, *map(id, told), work.on_real, real)
        case _:
            return (id(work),)


def inner_step_flops(plan: Plan, work: DistillWork) -> tuple[int, int, int]:
    """Return the operations of one inner step: what moves the network, real and synthetic side."""
    count = Counting(plan).distilling(work)
    return count.moving().flops, count.real().flops, count.synthetic().flops


def shard_speedup(plan: Plan) -> float | None:
    """Return how much faster all shards side by side are at most; None without shards.

    Every shard computes the same stream of networks again, so it is less than their number.
    """
    works = plan.distillation()
    if not works or works[0].classes is None:
        return None
    count = Counting(plan)
    part = count.distilling(works[0]).loop()
    whole = count.distilling(works[0].model_copy(update={"classes": None})).loop()
    return whole.flops / part.flops if part and whole else None
