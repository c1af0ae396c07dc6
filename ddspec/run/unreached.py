"""What of a store could be removed: what stays of nobody's stages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from ddspec.canon import Json
from ddspec.run.deliver import CARD, GRID, LABELS, MEASURED, TENSORS, WHITENING
from ddspec.run.outputs import LARGEST_RESULT, read_regular
from ddspec.run.reach import Reach, stage_keys
from ddspec.store.footprint import Footprint, footprint
from ddspec.store.removal import leftovers
from ddspec.store.store import Store

What: TypeAlias = Literal[
    "output", "scratch folder", "attempt", "delivered set", "damaged output", "record", "remains"
]
"""A finished output; checkpoints and progress of a stage; a job, with what it printed;
a folder of `results`; what was set aside; journal and records of runs; what a killed removal left.
"""

_KEY = re.compile(r"[0-9a-f]{64}")
_DELIVERED = frozenset({TENSORS, CARD, GRID, MEASURED, WHITENING, LABELS})


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that could be removed: it goes whole, or stays."""

    what: What
    path: Path
    of: str
    """Key, attempt or name."""
    size: Footprint
    kind: str = ""
    """Of the stage, where it is known."""
    label: str = ""

    def plain(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {
            "what": self.what,
            "of": self.of,
            "kind": self.kind,
            "label": self.label,
            "bytes": self.size.bytes,
            "files": self.size.files,
            "modified": self.size.modified,
            "path": str(self.path),
        }


@dataclass(frozen=True, slots=True)
class Unreached:
    """What could be removed, and what is kept though nothing reaches it."""

    things: tuple[Thing, ...]
    """The largest first."""
    young: tuple[Thing, ...]
    """Changed too recently."""
    mixed: tuple[Path, ...]
    """Folders of results that also hold what is not ours."""


def unreached(store: Store, reach: Reach, before: float, *, history: bool) -> Unreached:
    """Return what nothing of `reach` needs; what changed after `before` is too young to go.

    `history`: also the journal of what was tried, and records of what runs were asked to do.
    """
    mixed: list[Path] = []
    found = [*_of_stages(store, reach), *_of_jobs(store, reach), *_of_names(store, reach, mixed)]
    found += _things("damaged output", store.layout.damaged)
    if history:
        found += _of_the_past(store, reach)
    old = [thing for thing in found if thing.size.modified <= before]
    left = [_thing("remains", path) for path in leftovers(store.layout)]
    ranked = sorted([*old, *left], key=lambda thing: (-thing.size.bytes, str(thing.path)))
    young = tuple(thing for thing in found if thing.size.modified > before)
    return Unreached(tuple(ranked), young, tuple(mixed))


def _of_stages(store: Store, reach: Reach) -> Iterator[Thing]:
    keys = reach.keys
    for key in sorted(store.objects.keys()):
        if key not in keys and _KEY.fullmatch(key):
            yield _output(store.layout.object(key))
    for path in sorted(store.layout.scratch.iterdir()):
        if path.name not in keys and _KEY.fullmatch(path.name):
            yield _thing("scratch folder", path)


def _output(folder: Path) -> Thing:
    kind, label = "", ""
    try:
        plain = json.loads(read_regular(folder / "result.json", limit=LARGEST_RESULT))
        kind, label = str(plain["kind"]), str(plain["label"])
    except (OSError, ValueError, LookupError, TypeError):
        pass  # damaged, or of another version: it goes under no kind
    return Thing("output", folder, folder.name, footprint(str(folder)), kind, label)


def _of_jobs(store: Store, reach: Reach) -> Iterator[Thing]:
    """Yield attempts of which no stage stays; one that says of none is known by its name."""
    keys = reach.keys
    starts = {key[:16] for key in keys}
    for root in sorted(store.layout.attempts.iterdir()):
        if root.name in reach.attempts or root.name[:1] == ".":
            continue
        made = stage_keys(root)
        if (made & keys) if made else root.name[:16] in starts:
            continue
        yield _thing("attempt", root)


def _of_names(store: Store, reach: Reach, mixed: list[Path]) -> Iterator[Thing]:
    for path in _entries(store.layout.results):
        if path.name in reach.names:
            continue
        if _is_ours(path):
            yield _thing("delivered set", path)
        else:
            mixed.append(path)


def _is_ours(folder: Path) -> bool:
    """Tell whether a folder of results holds nothing but what runs deliver, variants included."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return all(
        path.name.removeprefix(".").removesuffix(".partial") in _DELIVERED
        or (path.is_dir() and not path.is_symlink() and _is_set(path))
        for path in folder.iterdir()
    )


def _is_set(folder: Path) -> bool:
    return all(
        path.name.removeprefix(".").removesuffix(".partial") in _DELIVERED
        for path in folder.iterdir()
    )


def _of_the_past(store: Store, reach: Reach) -> Iterator[Thing]:
    keys = reach.keys
    for path in _entries(store.layout.journals):
        if path.name not in keys and _KEY.fullmatch(path.name):
            yield _thing("record", path)
    for path in _entries(store.layout.plans):
        if path.name not in reach.names:
            yield _thing("record", path)


def _things(what: What, folder: Path) -> Iterator[Thing]:
    return (_thing(what, path) for path in _entries(folder))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _thing(what: What, path: Path) -> Thing:
    return Thing(what, path, path.name, footprint(str(path)))
