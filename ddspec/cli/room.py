"""The memory that jobs of a run can have, compared with what they are said to need."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.executors.base import Terms
    from ddspec.plan.ir import Plan, Stage
    from ddspec.plan.placement import Room
    from ddspec.run.desk import Orders


def tell_tight_stages(plan: Plan, stages: Sequence[Stage], orders: Orders, terms: Terms) -> None:
    """Say which stages hardly fit; raise DdspecError (exit 6) for those that cannot.

    Nothing is said where the memory is not known.
    """
    from ddspec.cli.output import say
    from ddspec.plan.placement import require_room

    room = room_of(orders, terms)
    if room is None or not stages:
        return
    for note in require_room(plan, room, stages=stages):
        say(f"note: {note.message}, which may just do; {note.hint}")


def room_of(orders: Orders, terms: Terms) -> Room | None:
    """Return the memory of a job: of its GPU, its container or this machine."""
    from ddspec.plan.placement import Room

    if orders.device == "cuda":
        return _gpu_of(terms)
    if terms.memory is not None:
        return Room("a container with `--memory`", terms.memory, accelerator=False)
    total = _machine_bytes()
    return None if total is None else Room("this machine", total, accelerator=False)


def _gpu_of(terms: Terms) -> Room | None:
    """Return the smallest of the GPUs that were named, or the largest there is."""
    from ddspec.engine.gpus import host_gpus
    from ddspec.plan.placement import Room

    gpus = host_gpus()
    named = [gpu for gpu in gpus if gpu.uuid in terms.gpus]
    if not gpus:
        return None
    one = min(named, key=lambda gpu: gpu.memory) if named else max(gpus, key=lambda g: g.memory)
    return Room(f"GPU {one.index} ({one.name})", one.memory)


def _machine_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):  # no such figure on this system
        return None
