"""A plan for review, as plain text: what, from which networks, by which steps, at which cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ddspec.canon import Digest, Json
from ddspec.console.plan_table import AFTER_LOCK, table
from ddspec.console.quantities import count, decimal, size
from ddspec.errors import Diagnostic
from ddspec.plan.cost_networks import network_cost
from ddspec.plan.document import document_of, schedule_of
from ddspec.plan.estimate import shard_speedup, stage_cost
from ddspec.plan.ir import Plan
from ddspec.plan.works import factor_of, networks_of
from ddspec.spec.method import FixedCoefficientSpec, FrozenInnerSpec, NoPerturbationSpec
from ddspec.spec.network import network_name
from ddspec.visible import visible
from ddspec.wire.schedule import NANO, ScheduleRow
from ddspec.wire.work import EvaluateWork

WIDTH = 100
INDENT = 13
PLAN_JSON_FORMAT = "ddspec.plan-view/1"


def render_plan(
    plan: Plan,
    in_store: Mapping[Digest, bool] | None = None,
    notes: Sequence[Diagnostic] = (),
    following: Sequence[str] = (),
) -> str:
    """Return the plan as text of at most 100 columns, without a trailing line end.

    `in_store` tells for each key whether its output is there; without it keys are shown.
    `following` says what one may do next. Counts and formulas only: no times.
    """
    sections = (
        [_title(plan), ""],
        *(_wrapped(name, parts) for name, parts in _sections(plan)),
        ["", *table(plan, in_store)],
        _footer(plan, notes),
        _wrapped("next", following),
    )
    return "\n".join(line for section in sections for line in section)


def plan_json(plan: Plan, in_store: Mapping[Digest, bool] | None = None) -> dict[str, Json]:
    """Return the plan as one JSON object: the plan file's content, and what is only for viewing."""
    stages: list[Json] = []
    for stage in plan:
        cost = stage_cost(plan, stage.work)
        stages.append(
            {
                "label": stage.label,
                "kind": stage.work.kind,
                "key": stage.key,
                "inputs": dict(stage.upstream),
                "flops": cost.flops,
                "memory_bytes": cost.memory_bytes,
                "output_bytes": cost.output_bytes,
                "in_store": None if in_store is None else in_store.get(stage.key or "", False),
            }
        )
    shown = ("digests", "revisions", "spec", "protocol", "data", "schedule")
    document = document_of(plan, None)
    return {
        "format": PLAN_JSON_FORMAT,
        "name": plan.name,
        "plan": plan.digest,
        "locked": plan.locked,
        **{name: document[name] for name in shown},
        "stages": stages,
    }


# --- sections -------------------------------------------------------------------------------------


def _title(plan: Plan) -> str:
    title = plan.experiment.title
    left = plan.name if title is None else f"{plan.name} · {visible(title)}"
    right = f"plan {plan.digest[:12]}" if plan.locked else f"key: {AFTER_LOCK}"
    room = WIDTH - len(right) - 2
    left = left if len(left) <= room else f"{left[: room - 1]}…"
    return f"{left:<{room}}  {right}"


def _sections(plan: Plan) -> Iterator[tuple[str, list[str]]]:
    yield "data", _data(plan)
    yield "budget", _budget(plan)
    yield "pool", _pool(plan)
    yield "schedule", _schedule(plan)
    yield "matcher", _matcher(plan)
    yield "inner", _inner(plan)
    speedup = shard_speedup(plan)
    if speedup is not None:
        shards = plan.experiment.resources.shards
        yield (
            "shards",
            [
                f"{shards} exact class shards, merged to the bits of one",
                f"side by side at most {speedup:.1f}x faster: each computes the networks",
            ],
        )
    yield "evaluator", _evaluator(plan)


def _data(plan: Plan) -> list[str]:
    data = plan.data
    if not data.classes:
        return [data.title, f"classes, images and content {AFTER_LOCK}"]
    held = f", {count(data.validation)} held out for choices" if data.validation else ""
    tested = f"{count(data.test)} test"
    if data.holdout:
        tested += f" (a fixed {decimal(100 * data.holdout)} % of each class)"
    known = AFTER_LOCK if data.content is None else data.content[:8]
    return [data.title, f"{count(data.train)} train{held}, {tested}", f"content {known}"]


def _budget(plan: Plan) -> list[str]:
    data, budget = plan.data, plan.experiment.budget.images_per_class
    factor = factor_of(plan.experiment)
    if not data.classes:
        views = [f"factor {factor}: {factor**2} training views of each"] if factor > 1 else []
        return [f"{budget} a class at {data.size} px", *views]
    images = len(data.classes) * budget
    share = f", {100 * images / data.train:.2g} % of train" if data.train else ""
    parts = [
        f"{len(data.classes)} classes x {budget} at {data.size} px: {count(images)} images{share}",
        size(4 * images * data.channels * data.size**2),
    ]
    if factor > 1:
        parts.append(f"factor {factor}: {count(images * factor**2)} training views")
    return parts


def _pool(plan: Plan) -> list[str]:
    pool = plan.experiment.pool
    varied = ["seed"]
    varied += ["learning rate"] if len(set(pool.vary.learning_rate)) > 1 else []
    varied += ["augmentation"] if len(pool.vary.augmentation) > 1 else []
    stage = f"{pool.epochs} epochs on real data" if pool.epochs else "random, not trained"
    name = network_name(plan.experiment.network)
    return [
        f"{pool.models} x {name}{_parameters(plan)}, {stage}",
        f"differ in {', '.join(varied)}",
    ]


def _parameters(plan: Plan) -> str:
    """Return how large a network of the pool is, where the number of classes is known."""
    data = plan.data
    if not data.classes:
        return ""
    cost = network_cost(
        plan.experiment.network, channels=data.channels, size=data.size, classes=len(data.classes)
    )
    return f" ({count(cost.parameters)} parameters)"


def _schedule(plan: Plan) -> list[str]:
    loops, summary = plan.experiment.loops, schedule_of(plan)
    snapshots = f", snapshots at {', '.join(map(str, loops.snapshots))}" if loops.snapshots else ""
    first = plan.distillation()[0].schedule.rows(0, min(2, loops.outer_loops))
    drawn = summary["rows_per_model"]
    return [
        f"{count(loops.outer_loops)} outer loops{snapshots}",
        _law(plan),
        f"table {str(summary['digest'])[:8]}",
        f"draws per model {' '.join(map(str, drawn)) if isinstance(drawn, list) else ''}",
        *(_schedule_row(row) for row in first),
    ]


def _law(plan: Plan) -> str:
    perturbation = plan.experiment.perturbation
    if isinstance(perturbation, NoPerturbationSpec):
        return "not perturbed"
    law, directions = perturbation.coefficient, perturbation.directions
    coefficient = (
        decimal(law.value)
        if isinstance(law, FixedCoefficientSpec)
        else f"±U({decimal(law.low)}, {decimal(law.high)})"
    )
    plural = "s" if directions > 1 else ""
    return f"{directions} filter-normalised direction{plural}, {coefficient}"


def _schedule_row(row: ScheduleRow) -> str:
    coefficients = (f"{value / NANO:+.4f}" for value in row.coefficients)
    return " ".join([f"{row.loop}: m{row.member}", *coefficients])


def _matcher(plan: Plan) -> list[str]:
    experiment, work = plan.experiment, plan.distillation()[0]
    matcher, update = work.matcher, work.update
    views = work.images_per_class * factor_of(experiment) ** 2
    plural = "s" if views > 1 else ""
    shown = f"{matcher.max_views} of " if views > matcher.max_views else ""
    return [
        f"{matcher.kind}, {matcher.distance} over {matcher.parameters}",
        f"{matcher.real_batch} real, {shown}{views} view{plural} a class",
        f"{work.inner_steps} inner steps",
        f"start {work.init.kind}",
        f"images SGD {decimal(update.learning_rate)}, momentum {decimal(update.momentum)}, "
        f"{update.clock.replace('_', ' ')} clock",
        work.precision,
    ]


def _inner(plan: Plan) -> list[str]:
    inner = plan.experiment.inner
    if isinstance(inner, FrozenInnerSpec):
        return ["frozen: the network does not move within an outer loop"]
    return [
        f"{inner.steps} steps of {inner.batch} real images after each inner step",
        f"SGD {decimal(inner.optimizer.learning_rate)}",
        "never sees the synthetic images",
    ]


def _evaluator(plan: Plan) -> list[str]:
    evaluate, names = plan.experiment.evaluate, networks_of(plan.experiment)
    works = [stage.work for stage in plan if isinstance(stage.work, EvaluateWork)]
    protocol = works[0].protocol
    epochs = protocol.epochs
    length = f"{count(epochs) if isinstance(epochs, int) else epochs} epochs"
    if protocol.steps is not None:
        length = f"{count(protocol.steps)} steps"
    elif plan.protocol.epochs == "idc_by_size":
        length += " for the size of this set"
    baselines = {
        "random": evaluate.baselines.random,
        "init": evaluate.baselines.init,
        "full": evaluate.baselines.full,
    }
    listed = [f"{name} {n}" for name, n in baselines.items() if n]
    return [
        f"{protocol.name}: {length}, last one counts, on {evaluate.on}",
        f"{', '.join(map(network_name, names))} x {evaluate.repeats} repeats",
        f"baselines {', '.join(listed) or 'none'}",
    ]


def _footer(plan: Plan, notes: Iterable[Diagnostic]) -> Iterator[str]:
    for expected in plan.experiment.expect:
        spread = f" ± {100 * expected.tolerance:.3g}" if expected.tolerance is not None else ""
        network = [] if expected.network is None else [expected.network]
        parts = [f"{100 * expected.accuracy:.3g}{spread} %", *network, expected.source]
        yield from _wrapped("expected", parts)
    for note in notes:
        where = [f"{note.place.file}:{note.place.line}"] if note.place and note.place.line else []
        yield from _wrapped(f"note {note.code}", [note.message, *where])


def _wrapped(name: str, parts: Sequence[str]) -> list[str]:
    """Return parts joined by dots, broken before a part, or in it where it must be."""
    width = WIDTH - INDENT
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and len(joined) <= width:
            lines[-1] = joined
        else:
            lines += _broken(part, width)
    return [f" {name if i == 0 else '':<{INDENT - 1}}{line}" for i, line in enumerate(lines)]


def _broken(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]
