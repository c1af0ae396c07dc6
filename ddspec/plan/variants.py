"""Several experiments as one plan: what they share is there once, under a label of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ddspec.canon import Digest
from ddspec.plan.ir import Plan, Stage, Variant, own_label
from ddspec.plan.stages import Stages
from ddspec.wire.work import DistillWork


@dataclass(frozen=True, slots=True)
class Lowered:
    """One variant, and its stages as those of a spec of its own."""

    variant: Variant
    stages: Stages


def united(name: str, lowered: Sequence[Lowered]) -> Plan:
    """Return the plan of a matrix; the order is that of the variants, upstream first in each.

    A stage is known by its key, and without a data lock by what its key would be. Where two
    variants reach the same output in different ways (shards, and the whole), the first way is kept.
    """
    wanted = _wanted(lowered)
    names = _names(lowered, wanted)
    stages: dict[Digest, Stage] = {}
    for one, labels in zip(lowered, wanted, strict=True):
        for label in labels:
            identity = one.stages.identities[label]
            if identity not in stages:
                stages[identity] = _renamed(
                    one.stages.by_label[label], names, one.stages.identities
                )
    made = {stage.label: stage for stage in stages.values()}
    variants = (
        replace(one.variant, labels=_used(one.stages, labels, names, made))
        for one, labels in zip(lowered, wanted, strict=True)
    )
    return Plan(name, tuple(variants), tuple(stages.values()))


def _wanted(lowered: Sequence[Lowered]) -> list[Collection[str]]:
    """Return for each variant the labels it needs: no shards of a set that another made whole."""
    first: dict[Digest, str] = {}
    for one in lowered:
        for label, identity in one.stages.identities.items():
            first.setdefault(identity, label)
    return [_own_ways(one.stages, first) for one in lowered]


def _own_ways(stages: Stages, first: Mapping[Digest, str]) -> Collection[str]:
    replaced = {label for label, identity in stages.identities.items() if first[identity] != label}
    if not replaced:
        return stages.by_label
    wanted = set[str]()
    for label, stage in reversed(stages.by_label.items()):
        if label in wanted or not _is_shard(stage):
            wanted.add(label)
            wanted.update(() if label in replaced else stage.upstream.values())
    return [label for label in stages.by_label if label in wanted]


def _names(lowered: Sequence[Lowered], wanted: Sequence[Collection[str]]) -> dict[Digest, str]:
    """Return the label of each stage in the plan: plain where all variants need it."""
    counts: Counter[Digest] = Counter()
    names: dict[Digest, str] = {}
    for one, labels in zip(lowered, wanted, strict=True):
        identities = {one.stages.identities[label]: label for label in labels}
        counts.update(identities.keys())
        for identity, label in identities.items():
            names.setdefault(identity, f"{label}@{one.variant.name}")
    return {
        identity: own_label(name) if counts[identity] == len(lowered) else name
        for identity, name in names.items()
    }


def _used(
    stages: Stages,
    wanted: Collection[str],
    names: Mapping[Digest, str],
    made: Mapping[str, Stage],
) -> tuple[str, ...]:
    """Return the plan's labels of what a variant needs, with all that comes before."""
    labels = [names[stages.identities[label]] for label in wanted]
    if wanted is stages.by_label:
        return tuple(dict.fromkeys(labels))
    return closed(labels, made)


def closed(labels: Iterable[str], made: Mapping[str, Stage]) -> tuple[str, ...]:
    """Return labels and those of all stages before them, in the order of the plan."""
    found = set[str]()
    open_ = list(labels)
    while open_:
        label = open_.pop()
        if label not in found:
            found.add(label)
            open_.extend(made[label].upstream.values())
    return tuple(label for label in made if label in found)


def _is_shard(stage: Stage) -> bool:
    return isinstance(stage.work, DistillWork) and stage.work.classes is not None


def _renamed(stage: Stage, names: Mapping[Digest, str], identities: Mapping[str, Digest]) -> Stage:
    upstream = {name: names[identities[label]] for name, label in stage.upstream.items()}
    return replace(stage, label=names[identities[stage.label]], upstream=upstream)
