"""Files of a distilled set for others to read: what they are told of it, and where they lie."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import JsonValue

from ddspec.canon import Digest, Json
from ddspec.disk import FULL, disk_full
from ddspec.errors import DdspecError, Exit
from ddspec.plan.ir import Plan, Stage
from ddspec.run.analysis import ask
from ddspec.run.deliver import CARD, FACTS, GRID, LABELS, MOST_LABELS, PARTS, TENSORS, WHITENING
from ddspec.run.rounding import Paired
from ddspec.store.store import Store
from ddspec.version import __version__

Kind: TypeAlias = Literal["png", "npz", "parquet"]

FORMAT = "ddspec.export/1"
README = "README.md"
TAUGHT_SET = "set"
"""The folder of a set with what teachers said of its views, for `load_synthetic`."""
TAUGHT = (
    "holds the labels of classes; the accuracies are of networks that learned from what teachers "
    "said of each view of an image, which is "
)
"""Of a set that teachers label: whoever trains on hard labels gets other numbers."""


@dataclass(frozen=True, slots=True)
class Export:
    """A set that is exported, and what is known of it."""

    kind: Kind
    plan: Plan
    """Of one variant."""
    variant: str
    card: Mapping[str, Any]
    """Of the rounded set, as it is stored."""
    learned: Digest
    """Key of the set as it was learned."""
    labels: str
    """What networks learned from under the accuracies: `hard`, `learned`, `expert`, `soft`."""
    accuracy: tuple[Paired, ...]
    """Empty where the rounded set was not evaluated."""
    figures: Mapping[str, JsonValue]
    """Of the stage that rounded."""
    unpublished: Json = None
    """Which settings publications of the method leave open; None where there is nothing."""
    recorded: Digest | None = None
    """Key of what teachers said of views of the rounded images, where it comes along."""

    @property
    def images(self) -> int:
        """Return how many images there are."""
        return int(self.card["images_per_class"]) * len(self.card["classes"])

    @property
    def note(self) -> str:
        """Return what somebody who trains on the files has to know first; empty for nothing."""
        if self.labels != "soft":
            return ""
        where = "not in here" if self.recorded is None else f"in `{TAUGHT_SET}/{LABELS}`"
        return TAUGHT + where

    def plain(self) -> dict[str, Json]:
        """Return the card of the export."""
        card = self.card
        copied = ("classes", "size", "channels", "mean", "std", "images_per_class", "learned_lr")
        protocol = self.plan.protocol.model_dump(mode="json", exclude_none=True)
        return {
            "format": FORMAT,
            "as": self.kind,
            "name": self.plan.name,
            "title": self.plan.experiment.title,
            **({"variant": self.variant} if self.variant else {}),
            "dataset": card["dataset"],
            **{name: card[name] for name in copied},
            "images": self.images,
            "labels": self.labels,
            **({"note": self.note} if self.note else {}),
            "protocol": protocol,
            "accuracy": [one.plain() for one in self.accuracy],
            "rounding": dict(self.figures),
            "provenance": {
                "set": self.learned,
                "rounded": card["provenance"]["key"],
                "seed": card["provenance"]["seed"],
                "plan": self.plan.digest,
                "ddspec": __version__,
            },
            **({} if self.unpublished is None else {"unpublished": self.unpublished}),
        }


def card_in(folder: Path) -> Mapping[str, Any]:
    """Return the card of a stored set; raises `DdspecError` (failed) where it is none."""
    try:
        found = json.loads((folder / CARD).read_bytes())
        if isinstance(found, dict) and {"classes", "images_per_class", "provenance"} <= set(found):
            return found
    except (OSError, ValueError, RecursionError):
        pass
    raise DdspecError(
        f"the stored output {folder.name[:16]} is no set: see its {CARD}",
        exit=Exit.FAILED,
        hint=f"remove {folder} and export again: it is made anew",
    )


def write_files(
    kind: Kind, rounded: Path, learned: Path, folder: Path, *, exact: bool
) -> dict[str, Any]:
    """Write the images and labels of a stored set into an empty folder; return what was written.

    With `exact` the learned numbers too. The whitening of a set in ZCA space is copied: networks
    are fed whitened images. Raises `DdspecError`: exit 6 where the disk fails or libraries are not
    installed, exit 3 where the set cannot be read.
    """
    told = ask(
        "export",
        {
            "as": kind,
            "set": str(rounded),
            "to": str(folder),
            "exact": str(learned) if exact else None,
        },
        timeout_s=None,
    )
    if not isinstance(told, dict):
        raise TypeError("the tool answers with an object")
    if "failed" in told:
        number = told["errno"] if isinstance(told["errno"], int) else errno.EIO
        if number in FULL:
            raise disk_full(folder.parent)
        raise OSError(number, str(told["failed"]))
    if (learned / WHITENING).is_file():
        shutil.copyfile(learned / WHITENING, folder / WHITENING)
    return dict(told)


def write_taught(found: Export, rounded: Path, recorded: Path, folder: Path) -> None:
    """Write the set that teachers labelled, and their labels, as `load_synthetic` reads both."""
    target = folder / TAUGHT_SET
    (target / LABELS).mkdir(parents=True)
    for file in (TENSORS, GRID):
        shutil.copyfile(rounded / file, target / file)
    for part in (*recorded.glob(PARTS), recorded / FACTS):
        shutil.copyfile(part, target / LABELS / part.name)
    protocol = found.plan.protocol.model_dump(mode="json", exclude_none=True)
    card = {**found.card, "protocol": protocol, "labels": "soft"}
    write_text(target / CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text; what is no Unicode in names becomes a question mark."""
    path.write_bytes(text.encode("utf-8", "replace"))


def recorded_in(store: Store, stage: Stage | None) -> Digest | None:
    """Return the key of recorded labels that are there and not too large to be copied."""
    if stage is None or stage.key is None or not store.objects.has(stage.key):
        return None
    folder = store.objects.fetch(stage.key)
    size = sum(path.stat().st_size for path in folder.glob(PARTS))
    return stage.key if size <= MOST_LABELS else None


def size_of(folder: Path) -> tuple[int, int]:
    """Return how many files lie under a folder, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)
