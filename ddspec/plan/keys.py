"""Keys computed again from what stages say, to see that a plan was not edited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ddspec.canon import Digest
from ddspec.plan.ir import Stage, stage_key
from ddspec.wire.work import DistillWork, MergeWork


def recomputed_keys(stages: Iterable[Stage]) -> Iterator[tuple[str, Digest]]:
    """Yield (label, key) of each stage, from works and labels alone.

    A merge publishes under the key of the segment that its shards divide, which follows from the
    first of them and from the merge before. Raises KeyError for an input that no earlier stage
    makes.
    """
    keys: dict[str, Digest] = {}
    seen: dict[str, Stage] = {}
    merged_from: dict[str, str] = {}
    for stage in stages:
        inputs = {name: keys[label] for name, label in stage.upstream.items()}
        if isinstance(stage.work, MergeWork):
            first = seen[stage.upstream["shard/0"]]
            keys[stage.label] = _whole_key(first, keys, merged_from)
            merged_from[first.label] = stage.label
        else:
            keys[stage.label] = stage_key(stage.work, inputs)
        seen[stage.label] = stage
        yield stage.label, keys[stage.label]


def _whole_key(shard: Stage, keys: Mapping[str, Digest], merged_from: Mapping[str, str]) -> Digest:
    """Return the key of the unsharded segment; its `previous` is the merge of the one before."""
    upstream = dict(shard.upstream)
    if "previous" in upstream:
        upstream["previous"] = merged_from[upstream["previous"]]
    work = shard.work
    if not isinstance(work, DistillWork):
        raise KeyError("shard/0")
    whole = work.model_copy(update={"classes": None})
    return stage_key(whole, {name: keys[label] for name, label in upstream.items()})
