"""What has to be worked on, and what first. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ddspec.canon import Digest
from ddspec.plan.ir import Stage
from ddspec.wire.work import DistillWork, ImportWork, MergeWork

MADE = (DistillWork, MergeWork, ImportWork)
"""Works that end in the set that a spec is about."""


def targets(stages: Sequence[Stage]) -> frozenset[Digest]:
    """Return the keys that a run is for: distilled sets, and whatever nobody takes as an input.

    A shard is no target: the set that it is merged into is.
    """
    taken = {key for stage in stages for key in stage.inputs.values()}
    merges = [stage for stage in stages if isinstance(stage.work, MergeWork)]
    merged = {key for stage in merges for key in stage.inputs.values()}
    return frozenset(
        _key(stage)
        for stage in stages
        if stage.key not in taken or (isinstance(stage.work, MADE) and stage.key not in merged)
    )


def needed(
    stages: Mapping[Digest, Stage], present: Collection[Digest], wanted: Collection[Digest]
) -> frozenset[Digest]:
    """Return the absent keys that lead to what is wanted; what is present needs nothing above."""
    found: set[Digest] = set()
    waiting = [key for key in wanted if key not in present]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += [above for above in stages[key].inputs.values() if above not in present]
    return frozenset(found)


def heights(stages: Sequence[Stage]) -> Mapping[Digest, int]:
    """Return, for each key, the length of the longest chain of stages that waits for it."""
    found = {_key(stage): 0 for stage in stages}
    for stage in reversed(stages):
        for above in stage.inputs.values():
            found[above] = max(found[above], found[_key(stage)] + 1)
    return found


def _key(stage: Stage) -> Digest:
    if stage.key is None:
        raise ValueError(f"{stage.label} has no key: its data are not locked")
    return stage.key
