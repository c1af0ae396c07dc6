"""Put a distilled set where a person finds it: `results/NAME/` of the store, with its recipe.

A stage that distils knows nothing of how its set will be judged, so its card names no protocol.
The delivered card does, and `results.json` beside it says what was measured under that protocol.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ddspec.canon import Digest, Json
from ddspec.disk import full_disk_named, write_whole
from ddspec.errors import DdspecError, Exit
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.store.store import Store

TENSORS, CARD, GRID, MEASURED = "synthetic.safetensors", "card.json", "grid.png", "results.json"
WHITENING = "whitening.safetensors"
"""Beside sets in ZCA space alone."""
LABELS, FACTS, PARTS = "labels", "labels.json", "part-*.safetensors"
"""The folder of recorded labels beside a set, and what it holds."""
MOST_LABELS = 1 << 30
"""Bytes of recorded labels that are copied; more stay in the store alone."""


@dataclass(frozen=True, slots=True)
class Taught:
    """That teachers label what students see of a set."""

    recorded: Digest | None = None
    """Key of what was recorded of that; None where they are asked on the way, or it is not there
    yet."""


def deliver(
    store: Store,
    name: str,
    key: Digest,
    protocol: ProtocolSpec,
    measured: Mapping[str, Json],
    taught: Taught | None = None,
    unpublished: Json = None,
) -> Path:
    """Copy the set of a key to `results/NAME/`, each file whole, and return that folder.

    Of a matrix the name is `NAME/VARIANT`. The copies share nothing with the store, so that what a
    person does to them harms nobody. A folder that holds this set already is not written again.
    Where teachers label the set, its card says so, and what they said lies in `labels/`, unless it
    takes more than `MOST_LABELS`. What publications of the method leave open is told in the card.
    Raises DdspecError (exit 6) where the disk is full, (exit 1) where the stored output is no set.
    """
    source, target = store.layout.object(key), store.layout.results / name
    card = _card_of(source) | {"protocol": protocol.model_dump(mode="json", exclude_none=True)}
    if taught is not None:
        card["labels"] = "soft"
    if unpublished is not None:
        card["unpublished"] = unpublished
    texts = {CARD: _text(card), MEASURED: _text(measured)}
    labels = _recorded(store, taught)
    if _there(target, texts) and _labels_there(target, labels):
        return target
    from ddspec.store.locks import locked  # filelock is 60 ms, and idle runs need no lock

    # two runs may deliver at once, under one name even sets of two specs
    with full_disk_named(store.layout.home), locked(_lock(store, name)):
        _make_folder(target)
        if not _holds(target / CARD, texts[CARD]):
            # the card goes first and comes last: whoever sees one, sees the set that it describes
            (target / CARD).unlink(missing_ok=True)
            (target / WHITENING).unlink(missing_ok=True)
            for file in (TENSORS, GRID, WHITENING):
                if file != WHITENING or (source / file).is_file():
                    _copy(source / file, target / file)
        if not _labels_there(target, labels):
            _put_labels(target / LABELS, labels)
        for file, text in texts.items():
            if not _holds(target / file, text):
                write_whole(target / file, text)
    return target


def _lock(store: Store, name: str) -> Path:
    """Return the lock of a folder of results; variants of a matrix lie in one of their own."""
    return store.layout.lock(f"results-{name.replace('/', '--')}")


def _card_of(source: Path) -> dict[str, Json]:
    """Return the card of a stored set; what its job wrote there was never looked into."""
    bad = next((file for file in (TENSORS, GRID) if not (source / file).is_file()), CARD)
    try:
        card = json.loads((source / CARD).read_bytes())
    except (OSError, ValueError, RecursionError):
        card = None
    if bad != CARD or not isinstance(card, dict):
        raise DdspecError(
            f"the stored output {source.name[:16]} is no distilled set: see its {bad}",
            exit=Exit.FAILED,
            hint=f"remove {source} and run again: it is made anew",
        )
    return card


def _recorded(store: Store, taught: Taught | None) -> Path | None:
    """Return the folder of recorded labels that are to be copied; None where there are none."""
    if taught is None or taught.recorded is None or not store.objects.has(taught.recorded):
        return None
    folder = store.layout.object(taught.recorded)
    size = sum(path.stat().st_size for path in folder.glob(PARTS))
    return folder if size <= MOST_LABELS else None


def _labels_there(target: Path, source: Path | None) -> bool:
    """Tell whether `labels/` is what it is to be: every recording says which one it is."""
    there = target / LABELS / FACTS
    if source is None:
        return not there.exists()
    return _holds(there, (source / FACTS).read_bytes())


def _put_labels(folder: Path, source: Path | None) -> None:
    """Put recorded labels in a folder, or take those away that are there."""
    (folder / FACTS).unlink(missing_ok=True)
    for part in folder.glob(PARTS):
        part.unlink()
    if source is None:
        with suppress(OSError):  # a person has put something of their own there
            folder.rmdir()
        return
    _make_folder(folder)
    for part in (*source.glob(PARTS), source / FACTS):  # what says that all is there comes last
        _copy(part, folder / part.name)


def _there(target: Path, texts: Mapping[str, bytes]) -> bool:
    return all(_holds(target / file, text) for file, text in texts.items())


def _make_folder(target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise DdspecError(
            f"cannot deliver to {target}: it is no folder",
            exit=Exit.UNABLE,
            hint="move it away and run again: everything is in the store",
        ) from error


def _text(value: Mapping[str, Json]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.copyfile(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
