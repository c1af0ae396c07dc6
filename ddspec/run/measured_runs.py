"""Stages that ran in a store, as forecasts need them: what was counted, and how long it took."""

from __future__ import annotations

import heapq
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec.plan.devices import DEVICES, Device, device_called
from ddspec.plan.estimate import WIDTHS, stage_costs
from ddspec.plan.forecast import Measured
from ddspec.plan.ir import Plan
from ddspec.store.journal import Entry
from ddspec.store.store import Store

MOST = 200
"""Keys whose attempts are looked at, the latest ones."""


def counts_of(plan: Plan) -> Mapping[Digest, Mapping[str, JsonValue]]:
    """Return what a run tells the journal of each work that takes operations."""
    costs = stage_costs(plan)
    found: dict[Digest, Mapping[str, JsonValue]] = {}
    for stage in plan:
        cost = costs[stage.label]
        if stage.key is not None and cost.flops:
            found[stage.key] = {
                "flops": cost.flops,
                "traffic_bytes": cost.traffic_bytes,
                "kernels": cost.kernels,
                "precision": cost.precision,
            }
    return found


def measured_runs(store: Store | None, most: int = MOST) -> tuple[Measured, ...]:
    """Return what the journal knows of the latest stages that were finished, newest first.

    What is damaged, ran on a device that is not in the table, or was not counted is left out.
    """
    if store is None:
        return ()
    return tuple(run for key in _latest(store, most) for run in _runs(store, key))


def usual_device(measured: Sequence[Measured]) -> Device | None:
    """Return the device that most of some runs were measured on; of two alike, the latest."""
    found = Counter(run.device for run in measured).most_common(1)
    return DEVICES[found[0][0]] if found else None


def _latest(store: Store, most: int) -> list[Digest]:
    try:
        with os.scandir(store.layout.home / "journal") as folders:
            times = [(folder.stat().st_mtime_ns, folder.name) for folder in folders]
    except OSError:
        return []
    return [key for _, key in heapq.nlargest(most, times)]


def _runs(store: Store, key: Digest) -> Iterator[Measured]:
    with suppress(OSError, ValueError, TypeError, AttributeError):  # a damaged entry says nothing
        for entry in reversed(store.journal.entries(key)):
            run = _measured(entry) if entry.outcome == "published" else None
            if run is not None:
                yield run


def _measured(entry: Entry) -> Measured | None:
    counts, engine = entry.counted, entry.engine
    name, threads = engine.get("device_name"), engine.get("threads")
    device = device_called(name) if isinstance(name, str) else None
    numbers = [counts.get(field) for field in ("flops", "traffic_bytes", "kernels")]
    flops, traffic, kernels = (n if isinstance(n, int) and n >= 0 else 0 for n in numbers)
    seconds, precision = counts.get("seconds"), counts.get("precision")
    if device is None or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        return None
    return Measured(
        kind=entry.kind,
        flops=flops,
        seconds=float(seconds),
        device=device.name,
        traffic_bytes=traffic,
        kernels=kernels,
        precision=next((known for known in WIDTHS if known == precision), "float32"),
        threads=threads if isinstance(threads, int) and threads > 0 else 1,
    )
