"""A lock as text, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ddspec.spec.lock import Lock, LockedRunners


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock, whole or not at all; the same lock gives the same bytes everywhere."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write("\n".join([*_lines(lock), ""]))
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files for their owner alone; this one is to be committed
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _lines(lock: Lock) -> Iterator[str]:
    yield "# Data and runners, written by `ddspec lock`. Commit it; never edit it."
    yield f"format: {lock.format}"
    yield f"kind: {lock.kind}"
    yield f'digest: "{lock.digest}"'
    yield f"ignored: {lock.ignored}"
    if lock.runners is not None:
        yield from _runners(lock.runners)
    if lock.splits:
        yield "splits:"
    for split in sorted(lock.splits, reverse=True):  # train, then test
        yield f"  {split}:"
        for name, one in sorted(lock.splits[split].items()):
            yield f'    {_quoted(name)}: {{images: {one.images}, digest: "{one.digest}"}}'


def _runners(runners: LockedRunners) -> Iterator[str]:
    numbers = ", ".join(f"{kind}: {number}" for kind, number in sorted(runners.revisions.items()))
    yield "runners:"
    yield f'  source: "{runners.source}"'
    yield f"  revisions: {{{numbers}}}"
    if runners.image is not None:
        image = runners.image
        where = "" if image.digest else "  # this host only: it was never pushed"
        yield "  image:"
        yield f"    reference: {_quoted(image.reference)}"
        yield f'    id: "{image.id}"'
        yield f"    digest: {_quoted(image.digest) if image.digest else 'null'}{where}"
        yield f'    source: "{image.source}"'


def _quoted(name: str) -> str:
    """Return any folder name as a double-quoted scalar of YAML, on one line."""
    plain = json.dumps(name, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in plain)
