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


def united(name: str, lowered: Sequence[Lowered], presets: Mapping[str, Digest]) -> Plan:
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
    made = Made({stage.label: stage for stage in stages.values()})
    variants = (
        replace(one.variant, labels=_used(one.stages, labels, names, made))
        for one, labels in zip(lowered, wanted, strict=True)
    )
    return Plan(name, tuple(variants), tuple(stages.values()), presets)


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
    made: Made,
) -> tuple[str, ...]:
    """Return the plan's labels of what a variant needs, with all that comes before."""
    labels = {names[stages.identities[label]] for label in wanted}
    return made.in_order(labels) if wanted is stages.by_label else made.closed(labels)


class Made:
    """The stages of a plan by label, upstream first."""

    def __init__(self, stages: Mapping[str, Stage]) -> None:
        self.stages = stages
        self._places = {label: place for place, label in enumerate(stages)}

    def in_order(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Return labels in the order of the plan; KeyError for one that it does not have."""
        return tuple(sorted(labels, key=self._places.__getitem__))

    def closed(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Return labels and those of all stages before them, in the order of the plan."""
        found = set[str]()
        waiting = list(labels)
        while waiting:
            label = waiting.pop()
            if label not in found:
                found.add(label)
                waiting.extend(self.stages[label].upstream.values())
        return self.in_order(found)


def _is_shard(stage: Stage) -> bool:
    return isinstance(stage.work, DistillWork) and stage.work.classes is not None


def _renamed(stage: Stage, names: Mapping[Digest, str], identities: Mapping[str, Digest]) -> Stage:
    upstream = {name: names[identities[label]] for name, label in stage.upstream.items()}
    return replace(stage, label=names[identities[stage.label]], upstream=upstream)
