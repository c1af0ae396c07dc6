"""How far a change reaches, by the outputs that it really moves and not by what it is called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias, get_args

from ddspec.canon import Digest
from ddspec.plan.ir import Plan, Stage, own_label
from ddspec.plan.keys import recomputed_keys
from ddspec.wire.work import DistillWork, PrepareWork

Category: TypeAlias = Literal[
    "cosmetic", "layout", "evaluation only", "distillation", "pool", "data", "protocol"
]
CATEGORIES: tuple[Category, ...] = get_args(Category)
"""From the least to the furthest reaching."""

MEANINGS: Mapping[Category, str] = {
    "cosmetic": "no stage changes",
    "layout": "only the layout changes",
    "evaluation only": "only evaluation changes",
    "distillation": "distillation changes",
    "pool": "pool and distillation change",
    "data": "the data change",
    "protocol": "numbers are no longer comparable",
}
"""Each as a sentence."""


def scope(moves: Category, *, added: int = 0, removed: int = 0, changed: int = 0) -> str:
    """Return how far a change reaches as a sentence; the numbers are of variants of a matrix."""
    if (added or removed) and not changed:
        kinds = (word for word, number in (("added", added), ("removed", removed)) if number)
        return f"variants are {' and '.join(kinds)}"
    return MEANINGS[moves]


REACHES: Mapping[str, Category] = {
    "prepare": "data",
    "pretrain": "pool",
    "checkpoint": "pool",
    "prune": "pool",
    "distill": "distillation",
    "merge": "distillation",
    "import": "distillation",
    "round": "evaluation only",
    "select": "evaluation only",
    "relabel": "evaluation only",
    "evaluate": "evaluation only",
}
"""How far a change reaches that moves an output of this kind of work."""


def worst(found: Iterable[Category]) -> Category:
    """Return the furthest reaching of some categories; of none, the least."""
    return max(found, key=CATEGORIES.index, default="cosmetic")


def least(one: Category, other: Category) -> Category:
    """Return the one of two categories that reaches less far."""
    return min(one, other, key=CATEGORIES.index)


def reach(before: Plan, after: Plan, *, comparable: bool = True) -> Category:
    """Return how far the change from one plan to the other reaches.

    What decides are the outputs that only one of the plans makes. Shards end in the very set that
    an unsharded distillation makes, so cutting it is `layout`, as other threads and folders are.
    """
    if not comparable:
        return "protocol"
    moved = worst(REACHES[kind] for kind in _moved_kinds(before, after))
    if moved == "cosmetic" and _layout(before) != _layout(after):
        return "layout"
    return moved


def _moved_kinds(before: Plan, after: Plan) -> Iterator[str]:
    old, new = _outputs(before), _outputs(after)
    lost = {what for key, what in old.items() if key not in new}
    gained = {what for key, what in new.items() if key not in old}
    for what in lost | gained:
        # reading one more split of the same images, as `evaluate.on` asks, changes no data
        if not what.startswith("prepare/") or what in lost & gained:
            yield what.partition("/")[0]


def _outputs(plan: Plan) -> dict[Digest, str]:
    """Return by key the kind of work, with its split where data are prepared.

    Without the shards of a set, which are no end in themselves.
    """
    keys = keys_of(plan)
    return {keys[stage.label]: _what(stage) for stage in plan if not _is_shard(stage)}


def _what(stage: Stage) -> str:
    work = stage.work
    if isinstance(work, PrepareWork):
        return f"prepare/{work.split}"
    head = own_label(stage.label).partition("/")[0]
    # the network that baselines are chosen by is no pool's
    if head == "select":
        return head
    # the soft labels of the distilled set are part of it; those of a baseline are not
    own = own_label(stage.label)
    return "distill" if own == "relabel" or own.startswith("relabel/to-") else work.kind


def keys_of(plan: Plan) -> Mapping[str, Digest]:
    """Return key by label; without a data lock, keys that serve for comparing alone."""
    if plan.locked:
        return {stage.label: stage.key or "" for stage in plan}
    return dict(recomputed_keys(plan))


def _is_shard(stage: Stage) -> bool:
    return isinstance(stage.work, DistillWork) and stage.work.classes is not None


def _layout(plan: Plan) -> list[tuple[str, int, Mapping[str, str]]]:
    return [(stage.label, stage.threads, stage.location) for stage in plan]
