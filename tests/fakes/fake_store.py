"""A store of finished outputs that nothing computed: what reports and tables are made of."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ddspec.plan.ir import Plan, Stage
from ddspec.store.journal import Entry
from ddspec.store.store import Store, open_store

START = 1_790_000_000.0
"""A moment in September 2026."""
ENGINE = {"python": "3.11.7", "torch": "2.11.0", "device": "cpu", "device_name": "", "threads": 1}
ACCURACIES = {"distilled": 0.8, "random": 0.5, "init": 0.4, "full": 0.95}


def png(width: int, height: int) -> bytes:
    """Return a grey picture of a size."""
    rows = b"".join(b"\0" + bytes(range(width)) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def fill(
    home: Path,
    plan: Plan,
    classes: tuple[str, ...] = ("cat", "dog"),
    *,
    wanted: Callable[[Stage], bool] = lambda stage: True,
    accuracy: Callable[[Stage], float] | None = None,
) -> Store:
    """Publish outputs of the wanted stages of a plan, each made ten seconds after the last."""
    store = open_store(home)
    for number, stage in enumerate(plan):
        assert stage.key is not None
        if wanted(stage) and not store.layout.object(stage.key).exists():
            value = (accuracy or _accuracy)(stage)
            _publish(store, stage, _files(stage, classes, value), number)
    return store


def entry(stage: Stage, number: int, **told: Any) -> Entry:
    """Return a record of an attempt at a stage."""
    assert stage.key is not None
    started = START + 10 * number
    fields: dict[str, Any] = {
        "attempt": f"{stage.key[:8]}-{number:08x}",
        "executor": "local",
        "host": "secret-machine",
        "started": started,
        "ended": started + 8,
        "exit": 0,
        "outcome": "published",
        "engine": ENGINE,
    }
    return Entry(stage.key, stage.label, stage.work.kind, **(fields | told))


def _accuracy(stage: Stage) -> float:
    parts = stage.label.split("/")
    known = [ACCURACIES[part] for part in parts if part in ACCURACIES]
    base = known[0] if known else ACCURACIES["distilled"]
    last = parts[-1].partition("@")[0]
    return base + (0.01 * int(last) if last.isdecimal() else 0.0)


def _files(stage: Stage, classes: tuple[str, ...], accuracy: float) -> Mapping[str, bytes]:
    match stage.work.kind:
        case "distill":
            rows = [{"outer_loop": loop, "loss": 9.0 - loop} for loop in range(8)]
            lines = "".join(f"{json.dumps(row)}\n" for row in rows)
            return {"metrics.jsonl": lines.encode(), "grid.png": png(40, 20)}
        case "select":
            return {"grid.png": png(40, 20)}
        case "evaluate":
            right = round(100 * accuracy)
            count = len(classes)
            confusion = [
                [
                    right if a == b else (100 - right if b == (a + 1) % count else 0)
                    for b in range(count)
                ]
                for a in range(count)
            ]
            told = {
                "accuracy": accuracy,
                "per_class": dict.fromkeys(classes, accuracy),
                "confusion": confusion,
                "training_loss": [[0, 2.3], [5, 1.0 + accuracy / 10], [9, 0.5]],
            }
            return {"metrics.json": json.dumps(told).encode()}
    return {"data": b"0"}


def _publish(store: Store, stage: Stage, files: Mapping[str, bytes], number: int) -> None:
    assert stage.key is not None
    source = store.layout.attempts / f"made-{stage.key[:16]}"
    source.mkdir()
    figures = json.loads(files.get("metrics.json", b"{}"))
    accuracy = {"accuracy": figures["accuracy"]} if figures else {}
    result = {"seconds": 2.0, "metrics": accuracy, "engine": ENGINE}
    for name, content in (*files.items(), ("result.json", json.dumps(result).encode())):
        (source / name).write_bytes(content)
    store.objects.publish(source, stage.key)
    store.journal.record(entry(stage, number))
