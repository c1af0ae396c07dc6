"""From an experiment to stages: which works there are, under which labels, from which inputs."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.canon import Digest
from ddspec.plan.imports import IMPORT, idle, import_location, import_work
from ddspec.plan.ir import DataFacts, Stage, stage_key
from ddspec.plan.lower_labels import label_softly
from ddspec.plan.lower_pool import TRAIN, lower_pool
from ddspec.plan.pools import pool_stages
from ddspec.plan.stages import Shared, Stages
from ddspec.plan.works import (
    Split,
    distill_work,
    evaluate_work,
    features_work,
    init_work,
    networks_of,
    prepare_work,
    random_work,
    segments,
    selected_work,
    shard_ranges,
)
from ddspec.spec.baselines import SETS, SetName
from ddspec.spec.dataset import BuiltinDatasetSpec
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.network import network_name
from ddspec.wire.work import DistillWork, MergeWork

FEATURES = "select/features"
"""The network that images are chosen by."""


def lower(experiment: Experiment, protocol: ProtocolSpec, data: DataFacts) -> tuple[Stage, ...]:
    """Return the stages of an experiment, upstream first.

    Pure: reads no clock, disk, environment or network. An edit changes the keys of the stages it
    touches and of those below them.
    """
    return tuple(lowered(experiment, protocol, data, Shared()).by_label.values())


def lowered(
    experiment: Experiment, protocol: ProtocolSpec, data: DataFacts, shared: Shared
) -> Stages:
    """Lower an experiment, sharing what others before it had in common with it."""
    before = shared.memo.once(_before_distilling, experiment, data, shared)
    stages = before.again(experiment)
    distilled = _import(stages, data) if experiment.imported else _distill(stages, data)
    sources = _select(stages) | {
        "full": ("prepare/train",) * experiment.evaluate.baselines.full,
    }
    _evaluate_distilled(stages, data, protocol, distilled)
    for set_name in SETS:
        _evaluate(stages, data, protocol, set_name, sources.get(set_name, ()))
    return stages


def _evaluate_distilled(
    stages: Stages, data: DataFacts, protocol: ProtocolSpec, distilled: str
) -> None:
    """Add the evaluations of the last set, or of every segment's where snapshots are judged.

    Then labels tell which set they are of, as those of segments do.
    """
    experiment = stages.experiment
    repeats = experiment.evaluate.repeats
    if not experiment.evaluate.snapshots:
        _evaluate(stages, data, protocol, "distilled", (distilled,) * repeats)
        return
    made = "distill" if experiment.resources.shards == 1 else "merge"
    for _, _, suffix in segments(experiment.loops):
        _evaluate(stages, data, protocol, "distilled", (f"{made}{suffix}",) * repeats, suffix)


def _before_distilling(experiment: Experiment, data: DataFacts, shared: Shared) -> Stages:
    """Lower what most variants of a matrix have in common."""
    stages = Stages(experiment, data.content is not None, shared)
    _prepare(stages, data)
    if "pool" not in idle(experiment):
        lower_pool(stages, data)
    return stages


def _prepare(stages: Stages, data: DataFacts) -> None:
    evaluate = stages.experiment.evaluate
    looks: tuple[Split, ...] = ("validation",) if evaluate.best_on_validation else ()
    splits: tuple[Split, ...] = ("train", evaluate.on, *looks)
    location = stages.made(_location)
    for split in splits:
        stages.add(
            f"prepare/{split}", stages.made(prepare_work, data, split), {}, location=location
        )


def _location(experiment: Experiment) -> dict[str, str]:
    dataset = experiment.dataset
    if isinstance(dataset, BuiltinDatasetSpec):
        return {}
    location = {"path": dataset.path, "train": dataset.train}
    return location | ({"test": dataset.test} if dataset.test is not None else {})


def _import(stages: Stages, data: DataFacts) -> str:
    """Add the stage that takes the set from files; return its label."""
    location = stages.made(import_location)
    stages.add(IMPORT, stages.made(import_work, data), TRAIN, location=location)
    return IMPORT


def _distill(stages: Stages, data: DataFacts) -> str:
    """Add all segments, each with its shards; return the label of the final set."""
    experiment = stages.experiment
    networks = {f"pool/{i}": f"pool/{i}" for i in range(pool_stages(experiment))}
    upstream = {**TRAIN, **networks}
    shards = experiment.resources.shards
    label = ""
    whole_key: Digest | None = None
    before: tuple[str, ...] = ()
    for start, stop, suffix in segments(experiment.loops):
        work = stages.made(distill_work, data, start, stop)
        if shards == 1:
            label = f"distill{suffix}"
            stages.add(label, work, upstream | ({"previous": before[0]} if before else {}))
            before = (label,)
            continue
        before = _shards(stages, work, upstream, before, suffix, (len(data.classes), shards))
        label = f"merge{suffix}"
        previous = {"previous": whole_key} if whole_key else {}
        whole_key = stage_key(work, stages.keys(upstream) | previous)
        parts = {f"shard/{shard}": part for shard, part in enumerate(before)}
        stages.add(label, stages.made(_merge_work), parts, key=whole_key)
    return label


def _merge_work(experiment: Experiment) -> MergeWork:
    return MergeWork(shards=experiment.resources.shards)


def _shards(
    stages: Stages,
    work: DistillWork,
    upstream: Mapping[str, str],
    before: tuple[str, ...],
    suffix: str,
    layout: tuple[int, int],
) -> tuple[str, ...]:
    """Add the shards of one segment, each after its own part of the segment before."""
    for shard, classes in enumerate(shard_ranges(*layout)):
        previous = {"previous": before[shard]} if before else {}
        part = work.model_copy(update={"classes": classes})
        stages.add(f"distill/{shard}{suffix}", part, {**upstream, **previous})
    return tuple(f"distill/{shard}{suffix}" for shard in range(layout[1]))


def _select(stages: Stages) -> dict[SetName, tuple[str, ...]]:
    """Add what baselines are trained on; return the label behind each repeat."""
    baselines = stages.experiment.evaluate.baselines
    hard = baselines.random_hard or 0
    draws = tuple(f"select/random/{repeat}" for repeat in range(max(baselines.random, hard)))
    for repeat, label in enumerate(draws):
        stages.add(label, stages.made(random_work, repeat), TRAIN)
    if baselines.init:
        stages.add("select/init", stages.made(init_work), TRAIN)
    found: dict[SetName, tuple[str, ...]] = {
        "random": draws[: baselines.random],
        "random_hard": draws[:hard],
        "init": ("select/init",) * baselines.init,
    }
    return found | _select_by_network(stages)


def _select_by_network(stages: Stages) -> dict[SetName, tuple[str, ...]]:
    """Add what a network chooses, after that network; all repeats are trained on one choice."""
    found: dict[SetName, tuple[str, ...]] = {}
    baselines = stages.experiment.evaluate.baselines
    for set_name in baselines.selected:
        if FEATURES not in stages.by_label:
            stages.add(FEATURES, stages.made(features_work), TRAIN)
        label = f"select/{set_name}"
        stages.add(label, stages.made(selected_work, set_name), {**TRAIN, "network": FEATURES})
        found[set_name] = (label,) * baselines.counts[set_name]
    return found


def _evaluate(
    stages: Stages,
    data: DataFacts,
    protocol: ProtocolSpec,
    set_name: SetName,
    sources: tuple[str, ...],
    suffix: str = "",
) -> None:
    """Add the evaluations of a set; `suffix` is that of a segment, whose set is a snapshot.

    Seeds know nothing of it, so that a distillation which ends there is judged by the same stages.
    """
    infix = "" if set_name == "distilled" else f"{set_name}/"
    infix = f"{suffix[1:]}/" if suffix else infix
    inputs = {"test": f"prepare/{stages.experiment.evaluate.on}"}
    if protocol.zca is not None:
        inputs["train"] = "prepare/train"
    if stages.experiment.evaluate.best_on_validation:
        inputs["validation"] = "prepare/validation"
    labelled = label_softly(stages, data, protocol, set_name, sources, suffix)
    for network in networks_of(stages.experiment):
        for repeat, source in enumerate(sources):
            work = stages.made(
                evaluate_work, data, protocol, network, set_name=set_name, repeat=repeat
            )
            label = f"evaluate/{infix}{network_name(network)}/{repeat}"
            stages.add(label, work, {"set": source, **inputs, **labelled.get(source, {})})
