"""From an experiment to stages: which works there are, under which labels, from which inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ddspec.canon import Digest
from ddspec.plan.ir import DataFacts, Stage, stage_key
from ddspec.plan.works import (
    SetName,
    Split,
    distill_work,
    evaluate_work,
    init_work,
    networks_of,
    prepare_work,
    pretrain_work,
    random_work,
    segments,
    shard_ranges,
)
from ddspec.spec.dataset import BuiltinDatasetSpec
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.network import network_name
from ddspec.wire.work import DistillWork, MergeWork, Work

TRAIN: Mapping[str, str] = {"train": "prepare/train"}


def lower(experiment: Experiment, protocol: ProtocolSpec, data: DataFacts) -> tuple[Stage, ...]:
    """Return the stages of an experiment, upstream first.

    Pure: reads no clock, disk, environment or network. An edit changes the keys of the stages it
    touches and of those below them.
    """
    stages = _Stages(locked=data.content is not None, threads=experiment.resources.threads)
    _prepare(stages, experiment, data)
    _pool(stages, experiment)
    distilled = _distill(stages, experiment, data)
    sources = _select(stages, experiment) | {
        "distilled": (distilled,) * experiment.evaluate.repeats,
        "full": ("prepare/train",) * experiment.evaluate.baselines.full,
    }
    for set_name in ("distilled", "random", "init", "full"):
        _evaluate(stages, experiment, data, protocol, set_name, sources[set_name])
    return tuple(stages.by_label.values())


@dataclass(slots=True)
class _Stages:
    """Stages by label so far; what is added finds the keys of its inputs here."""

    locked: bool
    threads: int
    by_label: dict[str, Stage] = field(default_factory=dict)

    def add(
        self,
        label: str,
        work: Work,
        upstream: Mapping[str, str],
        *,
        location: Mapping[str, str] | None = None,
        key: Digest | None = None,
    ) -> None:
        """Add a stage; `key` stands for that of another stage which publishes the same."""
        inputs = self.keys(upstream)
        if key is None and self.locked:
            key = stage_key(work, inputs)
        self.by_label[label] = Stage(
            label, work, dict(upstream), inputs, key, dict(location or {}), self.threads
        )

    def keys(self, upstream: Mapping[str, str]) -> dict[str, Digest]:
        """Return the keys behind some labels; empty while the data are not locked."""
        keys = {name: self.by_label[label].key for name, label in upstream.items()}
        return {name: key for name, key in keys.items() if key is not None}


def _prepare(stages: _Stages, experiment: Experiment, data: DataFacts) -> None:
    splits: tuple[Split, Split] = ("train", experiment.evaluate.on)
    for split in splits:
        work = prepare_work(experiment, data, split)
        stages.add(f"prepare/{split}", work, {}, location=_location(experiment))


def _location(experiment: Experiment) -> dict[str, str]:
    dataset = experiment.dataset
    if isinstance(dataset, BuiltinDatasetSpec):
        return {}
    location = {"path": dataset.path, "train": dataset.train}
    return location | ({"test": dataset.test} if dataset.test is not None else {})


def _pool(stages: _Stages, experiment: Experiment) -> None:
    for member in range(experiment.pool.models):
        stages.add(f"pool/{member}", pretrain_work(experiment, member), TRAIN)


def _distill(stages: _Stages, experiment: Experiment, data: DataFacts) -> str:
    """Add all segments, each with its shards; return the label of the final set."""
    networks = {f"pool/{i}": f"pool/{i}" for i in range(experiment.pool.models)}
    upstream = {**TRAIN, **networks}
    shards = experiment.resources.shards
    label = ""
    whole_key: Digest | None = None
    before: tuple[str, ...] = ()
    for start, stop, suffix in segments(experiment.loops):
        work = distill_work(experiment, data, start, stop)
        if shards == 1:
            label = f"distill{suffix}"
            stages.add(label, work, upstream | ({"previous": before[0]} if before else {}))
            before = (label,)
            continue
        before = _shards(stages, work, upstream, before, suffix, (len(data.classes), shards))
        label = f"merge{suffix}"
        if stages.locked:
            previous = {"previous": whole_key} if whole_key else {}
            whole_key = stage_key(work, stages.keys(upstream) | previous)
        parts = {f"shard/{shard}": part for shard, part in enumerate(before)}
        stages.add(label, MergeWork(shards=shards), parts, key=whole_key)
    return label


def _shards(
    stages: _Stages,
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


def _select(stages: _Stages, experiment: Experiment) -> dict[SetName, tuple[str, ...]]:
    """Add what baselines are trained on; return the label behind each repeat."""
    baselines = experiment.evaluate.baselines
    draws = tuple(f"select/random/{repeat}" for repeat in range(baselines.random))
    for repeat, label in enumerate(draws):
        stages.add(label, random_work(experiment, repeat), TRAIN)
    if baselines.init:
        stages.add("select/init", init_work(experiment), TRAIN)
    return {"random": draws, "init": ("select/init",) * baselines.init}


def _evaluate(
    stages: _Stages,
    experiment: Experiment,
    data: DataFacts,
    protocol: ProtocolSpec,
    set_name: SetName,
    sources: tuple[str, ...],
) -> None:
    infix = "" if set_name == "distilled" else f"{set_name}/"
    for network in networks_of(experiment):
        for repeat, source in enumerate(sources):
            work = evaluate_work(
                experiment, data, protocol, network, set_name=set_name, repeat=repeat
            )
            label = f"evaluate/{infix}{network_name(network)}/{repeat}"
            stages.add(label, work, {"set": source, "test": f"prepare/{experiment.evaluate.on}"})
