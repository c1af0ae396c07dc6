"""Join class shards into what one unsharded distillation publishes, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.wire.work import ClassRange, MergeWork
from ddspec_runners.artifacts import (
    SyntheticSet,
    read_synthetic_set,
    read_tensors,
    write_synthetic_set,
    write_tensors,
    write_text,
)
from ddspec_runners.card import Card
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.pools.online import PREFIX
from ddspec_runners.site import Site

STATE, RECORD = "state.safetensors", "metrics.jsonl"


def run(work: MergeWork, site: Site) -> Mapping[str, JsonValue]:
    """Write the joined set, its state and its record under the key of this stage.

    The matching loss of an outer loop is the mean over all classes, hence that of the shards
    weighted by their classes; it alone may differ from the unsharded one, in rounding. Raises
    BadJob where an input is missing, and BadData where the shards do not cover all classes exactly
    once or were not distilled alike.
    """
    folders = _folders(work, site)
    shards = [read_synthetic_set(folder) for folder in folders]
    card = joined_card([shard.card for shard in shards], site.key)
    images = torch.cat([shard.images for shard in shards])
    labels = torch.cat([shard.labels for shard in shards])
    state, metadata = _joined_state(folders, shards)
    write_tensors(site.output / STATE, state, metadata)
    soft = [shard.soft_labels for shard in shards if shard.soft_labels is not None]
    joined = torch.cat(soft) if soft else None  # cards agree, so all have them or none has
    write_synthetic_set(site.output, images, labels, card, shards[0].whitening, joined)
    losses = _joined_losses(folders, [len(shard.images) for shard in shards])
    lines = [json.dumps({"outer_loop": outer, "loss": loss}) for outer, loss in losses.items()]
    write_text(site.output / RECORD, "".join(f"{line}\n" for line in lines))
    return {
        "outer_loops": max(losses) + 1,
        "classes": images.shape[0],
        "images": images.shape[0] * images.shape[1],
        "loss": losses[max(losses)],
    }


def joined_card(cards: Sequence[Card], key: str) -> Card:
    """Return the card of the whole; raises BadData unless the cards differ in their range alone."""
    first = cards[0]
    covered = [label for card in cards for label in range(card.covers.start, card.covers.stop)]
    if covered != list(range(first.covers.of)):
        ranges = ", ".join(f"{card.covers.start}-{card.covers.stop - 1}" for card in cards)
        raise BadData(f"the shards cover classes {ranges} of {first.covers.of}, not each once")
    whole = ClassRange(start=0, stop=first.covers.of, of=first.covers.of)
    joined = [
        card.model_copy(
            update={
                "covers": whole,
                "provenance": card.provenance.model_copy(update={"key": key}),
            }
        )
        for card in cards
    ]
    for index, card in enumerate(joined):
        if card != joined[0]:
            raise BadData(f"shard {index} was not distilled as shard 0 was: their cards differ")
    return joined[0]


def _folders(work: MergeWork, site: Site) -> list[Path]:
    names = [f"shard/{index}" for index in range(work.shards)]
    missing = [name for name in names if name not in site.inputs]
    if missing:
        raise BadJob(f"the inputs lack {', '.join(missing)}")
    return [site.inputs[name] for name in names]


def _joined_state(
    folders: Sequence[Path], shards: Sequence[SyntheticSet]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Join every tensor of the states along its first axis, the class.

    A queue of networks is none of the classes': each shard has kept the whole of it.
    """
    read = [read_tensors(folder / STATE) for folder in folders]
    names, metadata = set(read[0][0]), read[0][1]
    for index, ((tensors, header), shard) in enumerate(zip(read, shards, strict=True)):
        if set(tensors) != names or header != metadata:
            raise BadData(f"the state of shard {index} is not of the same kind as that of shard 0")
        of_classes = {name: t for name, t in tensors.items() if not name.startswith(PREFIX)}
        if any(len(tensor) != len(shard.images) for tensor in of_classes.values()):
            raise BadData(f"the state of shard {index} has other classes than its images")
    joined = {name: _joined(name, [tensors[name] for tensors, _ in read]) for name in read[0][0]}
    return joined, metadata


def _joined(name: str, parts: Sequence[Tensor]) -> Tensor:
    if not name.startswith(PREFIX):
        return torch.cat(list(parts))
    for index, part in enumerate(parts):
        if not part.equal(parts[0]):
            raise BadData(f"`{name}` of shard {index} is not that of shard 0")
    return parts[0]


def _joined_losses(folders: Sequence[Path], classes: Sequence[int]) -> dict[int, float]:
    """Return outer loop to mean loss over all classes."""
    records = [_record(folder / RECORD) for folder in folders]
    if not records[0] or any(list(record) != list(records[0]) for record in records):
        raise BadData("the shards did not run the same outer loops")
    return {
        outer: sum(r[outer] * k for r, k in zip(records, classes, strict=True)) / sum(classes)
        for outer in records[0]
    }


def _record(path: Path) -> dict[int, float]:
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {int(line["outer_loop"]): float(line["loss"]) for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(f"{path} cannot be read: {error}") from error
