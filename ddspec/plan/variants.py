"""Several experiments as one plan: what they share is there once, under a label of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from ddspec.canon import Digest
from ddspec.plan.ir import Plan, Stage, Variant, own_label
from ddspec.plan.stages import Stages
from ddspec.wire.work import DistillWork, MergeWork

Way: TypeAlias = "tuple[str, ...]"
"""How an output is made: a label, and the keys of shards that are joined."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """One variant, and its stages as those of a spec of its own."""

    variant: Variant
    stages: Stages


def united(name: str, lowered: Sequence[Lowered], presets: Mapping[str, Digest]) -> Plan:
    """Return the plan of a matrix: upstream first, and stages alike beside each other.

    A stage is known by its key, and without a data lock by what its key would be. Where two
    variants reach the same output in different ways (shards, and the whole), the first way is kept.
    """
    wanted = _wanted(lowered)
    names = _names(lowered, wanted)
    found: dict[Digest, Stage] = {}
    for one, labels in zip(lowered, wanted, strict=True):
        for label in labels:
            identity = one.stages.identities[label]
            if identity not in found:
                found[identity] = _renamed(one.stages.by_label[label], names, one.stages.identities)
    made = Made(_alike_together(found.values(), lowered))
    variants = (
        replace(one.variant, labels=_used(one.stages, labels, names, made))
        for one, labels in zip(lowered, wanted, strict=True)
    )
    return Plan(name, tuple(variants), tuple(made.stages.values()), presets)


def _alike_together(stages: Iterable[Stage], lowered: Sequence[Lowered]) -> dict[str, Stage]:
    """Return stages by label, those of different variants side by side.

    They stay variant by variant where variants have stages in different orders, or where one makes
    in another way what the rest builds on.
    """
    orders = dict.fromkeys(tuple(one.stages.by_label) for one in lowered)
    edges: dict[str, dict[str, None]] = {}
    for order in orders:
        for label, after in zip(("", *order), order, strict=False):
            edges.setdefault(after, {})[label] = None
    unsorted = {stage.label: stage for stage in stages}
    try:
        ranks = {label: rank for rank, label in enumerate(TopologicalSorter(edges).static_order())}
    except CycleError:
        return unsorted
    found = dict(sorted(unsorted.items(), key=lambda item: ranks[own_label(item[0])]))
    return found if _upstream_first(found) else unsorted


def _upstream_first(stages: Mapping[str, Stage]) -> bool:
    seen: set[str] = set()
    for label, stage in stages.items():
        if not seen.issuperset(stage.upstream.values()):
            return False
        seen.add(label)
    return True


def _wanted(lowered: Sequence[Lowered]) -> list[Collection[str]]:
    """Return for each variant the labels it needs: no shards of a set that another made whole."""
    first: dict[Digest, Way] = {}
    for one in lowered:
        for label, identity in one.stages.identities.items():
            if identity not in first:
                first[identity] = _way(one.stages, label)
    return [_own_ways(one.stages, first) for one in lowered]


def _way(stages: Stages, label: str) -> Way:
    """Return how an output is made; keys say the rest, but of a merge not what it joins."""
    stage = stages.by_label[label]
    if isinstance(stage.work, MergeWork):
        return label, *(stages.identities[above] for above in stage.upstream.values())
    return (label,)


def _own_ways(stages: Stages, first: Mapping[Digest, Way]) -> Collection[str]:
    replaced = {
        label
        for label, identity in stages.identities.items()
        if first[identity] != _way(stages, label)
    }
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
    """Return the plan's labels of what a variant needs, in the order of a spec of its own."""
    labels = dict.fromkeys(names[stages.identities[label]] for label in wanted)
    return tuple(labels) if wanted is stages.by_label else made.closed(labels)


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
