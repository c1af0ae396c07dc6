"""What a plan does, one line or two for each piece, for a reviewer who never ran it."""

from __future__ import annotations

from collections.abc import Iterator

from ddspec.console.imported_words import imported_words
from ddspec.console.method_words import (
    inner_words,
    labels_words,
    matcher_words,
    network_words,
    perturbation_words,
    pool_words,
    update_words,
)
from ddspec.console.quantities import brief, count, decimal, size
from ddspec.console.setting_words import cut
from ddspec.plan.document_parts import schedule_of
from ddspec.plan.estimate import shard_speedup, stage_cost
from ddspec.plan.imports import idle
from ddspec.plan.ir import Plan
from ddspec.plan.works import networks_of
from ddspec.spec.baselines import FeaturesSpec
from ddspec.spec.dataset import BuiltinDatasetSpec
from ddspec.spec.evaluate import REPORTED, Reported
from ddspec.spec.facts_folders import FOLDERS
from ddspec.spec.learned import MultiFormationSpec, as_used, views_of
from ddspec.spec.method import DistributionMatcherSpec, StatisticsMatcherSpec
from ddspec.visible import visible
from ddspec.wire.schedule import NANO, ScheduleRow
from ddspec.wire.work import EvaluateWork, PretrainWork, RelabelWork

AFTER_LOCK = "after lock"
TITLE = 60
"""Characters of a title or of a path."""
DRAWS_SHOWN = 12
"""Pool members whose draws are counted out; of more, the range."""


def sections(plan: Plan) -> Iterator[tuple[str, list[str]]]:
    """Yield (name, parts) of each piece of the plan of one experiment."""
    yield "what", _what(plan)
    yield "budget", _budget(plan)
    unread = idle(plan.experiment)
    if "pool" not in unread:
        yield "pool", _pool(plan)
    if plan.experiment.imported is not None:
        yield "imported", imported_words(plan.experiment.imported, sorted(unread))
    else:
        if plan.distillation():
            yield "schedule", _schedule(plan)
        yield "matcher", _matcher(plan)
        yield "inner", _inner(plan)
    yield "evaluator", _evaluator(plan)


def headline(plan: Plan, *, variants: int = 1) -> str:
    """Return name, title, and what is distilled: `cifar10 · Acc-DD 5x · 10 classes x 10 images`."""
    experiment, data = plan.experiment, plan.data
    classes = f"{len(data.classes)} classes x " if data.classes else ""
    images = experiment.budget.images_per_class
    shown = f"{classes}{images} image{'' if images == 1 else 's'} at {data.size} px"
    title = [] if experiment.title is None else [cut(visible(experiment.title), TITLE)]
    return " · ".join([plan.name, *title, f"{variants:,} variants" if variants > 1 else shown])


def _what(plan: Plan) -> list[str]:
    data = plan.data
    title = cut(visible(data.title), TITLE)
    if not data.classes:
        return [title, f"classes, images and content {AFTER_LOCK}"]
    if data.train is None:
        return [title, f"{count(data.test)} test, other images and content {AFTER_LOCK}"]
    held = f", {count(data.validation)} held out for choices" if data.validation else ""
    tested = f"{count(data.test)} test"
    if data.holdout:
        tested += f" (a fixed {decimal(100 * data.holdout)} % of each class)"
    by = "published" if isinstance(plan.experiment.dataset, BuiltinDatasetSpec) else "lock"
    known = AFTER_LOCK if data.content is None else f"{data.content[:6]} {by}"
    return [title, f"{count(data.train)} train{held}, {tested}", *_unlike(plan), f"data {known}"]


def _unlike(plan: Plan) -> list[str]:
    """Return how many images were published, where the copy that was locked has others."""
    data, published = plan.data, FOLDERS.get(plan.experiment.dataset.kind)
    if data.content is None or published is None or published.train is None:
        return []
    here = ((data.train or 0) + (data.validation or 0), data.test)
    if here == (published.train, published.test):
        return []
    return [f"not the {count(published.train)} and {count(published.test)} that are published"]


def _budget(plan: Plan) -> list[str]:
    data, budget = plan.data, plan.experiment.budget.images_per_class
    labels = plan.experiment.labels
    learned = [] if labels is None else [labels_words(labels) + _stored(plan)]
    if not data.classes:
        return [f"{budget} a class", *_views(plan), *learned]
    images = len(data.classes) * budget
    share = f", {100 * images / data.train:.2g} %" if data.train else ""
    parts = [
        f"{count(images)} image{'' if images == 1 else 's'}{share}",
        size(4 * images * data.channels * data.size**2),
    ]
    parts += _views(plan)
    space = plan.experiment.parameterization.space
    how = "learned" if plan.experiment.imported is None else "kept"
    parts += [] if space == "pixel" else [f"{how} in {space} space"]
    return [*parts, *learned]


def _stored(plan: Plan) -> str:
    """Return what the recorded labels of one set take."""
    costs = [stage_cost(plan, one.work) for one in plan if isinstance(one.work, RelabelWork)]
    return f", {size(costs[0].output_bytes)} a set" if costs else ""


def _views(plan: Plan) -> list[str]:
    """Return what images are cut into, and how many are trained on: of all classes, if known."""
    shape, budget = plan.experiment.parameterization, plan.experiment.budget.images_per_class
    if not isinstance(shape, MultiFormationSpec) or shape.factor == 1:
        return []
    used, learning = as_used(shape), shape.decode or "single"
    classes, place = (len(plan.data.classes), "") if plan.data.classes else (1, " a class")
    decode = shape.used or shape.decode
    way = f"factor {shape.factor}" + (f" {decode}" if decode else "")
    parts = [f"{way}: {count(classes * views_of(used, budget))} training views{place}"]
    if shape.used not in (None, learning):
        parts.append(f"{learning} while learning: {count(classes * views_of(shape, budget))}")
    return parts


def _pool(plan: Plan) -> list[str]:
    matcher = plan.experiment.matcher
    if isinstance(matcher, DistributionMatcherSpec) and matcher.features == "pixels":
        return ["no networks: pixels are matched as they are"]
    way = f" ({len(plan.data.classes)}-way)" if plan.data.classes else ""
    words = pool_words(plan.experiment.pool, f"{network_words(plan.experiment.network)}{way}")
    return [*words, *_recorded(plan)]


def _recorded(plan: Plan) -> list[str]:
    """Return what trajectories take, all together."""
    experts = [one.work for one in plan if isinstance(one.work, PretrainWork) and one.work.record]
    if not experts:
        return []
    each = stage_cost(plan, experts[0]).output_bytes
    return [f"{size(None if each is None else len(experts) * each)} on disk"]


def _schedule(plan: Plan) -> list[str]:
    work = plan.distillation()[0]
    schedule = work.schedule
    words = [_loops(plan), perturbation_words(plan.experiment.perturbation)]
    several = schedule.apart or 1
    rows = list(schedule.rows(0, min(3 * several, plan.distillation()[-1].rows.stop)))
    if schedule.members == 1 and not rows[0].coefficients:
        return words
    summary = schedule_of(plan)
    drawn = summary["rows_per_model"]
    of_image = "image " if isinstance(work.matcher, StatisticsMatcherSpec) else ""
    lines = [
        f"{of_image}{first // several}: "
        + ", ".join(map(_schedule_row, rows[first : first + several]))
        for first in range(0, len(rows), several)
    ]
    return [
        *words,
        f"table {str(summary['digest'])[:8]}",
        f"draws per model {_draws(drawn if isinstance(drawn, list) else [])}",
        *lines[:1],
        *([f"{lines[1]} …" if len(lines) > 2 else lines[1]] if len(lines) > 1 else []),
    ]


def _loops(plan: Plan) -> str:
    loops = plan.experiment.loops
    snapshots = f", snapshots at {', '.join(map(str, loops.snapshots))}" if loops.snapshots else ""
    return (
        f"{count(loops.outer_loops)} outer loop{'' if loops.outer_loops == 1 else 's'}{snapshots}"
    )


def _draws(drawn: list[int]) -> str:
    if len(drawn) > DRAWS_SHOWN:
        return f"{min(drawn)} to {max(drawn)}"
    return " ".join(map(str, drawn))


def _schedule_row(row: ScheduleRow) -> str:
    coefficients = (f"{value / NANO:+.4f}".replace("0.", ".", 1) for value in row.coefficients)
    return " ".join([f"m{row.member}", *coefficients])


def _matcher(plan: Plan) -> list[str]:
    experiment, works = plan.experiment, plan.distillation()
    rate = works[0].update.learning_rate if works else experiment.update.learning_rate
    views = views_of(experiment.parameterization, experiment.budget.images_per_class)
    steps = experiment.loops.inner_steps
    precision = [] if experiment.precision == "float32" else [experiment.precision]
    return [
        *matcher_words(experiment.matcher, views),
        *([f"{count(steps)} inner steps"] if steps > 1 else []),
        update_words(experiment.update, rate),
        f"start {experiment.init.kind}",
        *precision,
    ]


def _inner(plan: Plan) -> list[str]:
    parts = inner_words(plan.experiment.inner)
    speedup = shard_speedup(plan)
    if speedup is None:
        return parts
    shards = plan.experiment.resources.shards
    each = f" of {len(plan.data.classes) // shards}" if plan.data.classes else ""
    even = not len(plan.data.classes) % shards
    return [
        *parts,
        f"{shards} exact class shards{each if even else ''}, side by side {speedup:.1f}x faster",
    ]


def _chosen_by(plan: Plan) -> list[str]:
    """Return by which network some baselines are chosen."""
    baselines, network = plan.experiment.evaluate.baselines, plan.experiment.network
    if not baselines.selected:
        return []
    features = baselines.features or FeaturesSpec()
    epochs = f"{count(features.epochs)} epoch{'' if features.epochs == 1 else 's'}"
    rate = f"lr {brief(features.optimizer.learning_rate)}"
    names = ", ".join(baselines.selected)
    return [f"{names} by {network_words(network)} after {epochs}, {rate}"]


def _apart(plan: Plan) -> list[str]:
    """Return what is judged besides the last network on the last set."""
    evaluate, snapshots = plan.experiment.evaluate, plan.experiment.loops.snapshots
    looks = evaluate.best_on_validation
    parts = []
    if looks is not None:
        parts.append(f"apart: the best of {count(looks)} looks at validation images")
    if evaluate.snapshots and snapshots:
        parts.append(f"also after {', '.join(map(count, snapshots))} outer loops")
    return parts


def _otherwise(reported: Reported | None) -> list[str]:
    """Return what publications count under a protocol, where it is not the last step."""
    if reported is None or reported not in REPORTED:
        return []
    return [f"papers count {REPORTED[reported]}"]


def _evaluator(plan: Plan) -> list[str]:
    evaluate, names = plan.experiment.evaluate, networks_of(plan.experiment)
    works = [stage.work for stage in plan if isinstance(stage.work, EvaluateWork)]
    protocol = works[0].protocol if works else plan.protocol
    epochs = protocol.epochs
    length = f"{count(epochs) if isinstance(epochs, int) else epochs} epochs"
    if protocol.steps is not None:
        length = f"{count(protocol.steps)} steps"
    networks = network_words(names[0]) if len(names) == 1 else f"{len(names)} networks"
    repeats = f"{evaluate.repeats} repeat{'' if evaluate.repeats == 1 else 's'}"
    listed = [f"{name} {n}" for name, n in evaluate.baselines.counts.items() if n]
    rate = f", lr {brief(protocol.optimizer.learning_rate)}"
    learned = ", at the learned rate" if protocol.learned_rate else rate
    taught = protocol.teaching
    return [
        f"{protocol.name}: {length}{learned}, last epoch counts, {networks} x {repeats} "
        f"on {evaluate.on}",
        *([] if taught is None else [f"labels at temperature {brief(taught.temperature)}"]),
        *_apart(plan),
        *_otherwise(protocol.reported),
        f"baselines {', '.join(listed) or 'none'}",
        *_chosen_by(plan),
        *([", ".join(map(network_words, names))] if len(names) > 1 else []),
    ]
