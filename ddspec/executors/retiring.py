"""Taking down what is left of a container's job, so that any part of it can be repeated.

In this order: what it printed, its folders back to the caller, the record of its end, and the
container last. Who finds the record has only the container left to remove.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from ddspec.disk import full_disk_named
from ddspec.engine.connect import Engine
from ddspec.engine.facts import EngineFacts
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Stream
from ddspec.executors.container import IMAGE, name_of
from ddspec.executors.ends import REMOVED, End, read_end, write_end
from ddspec.executors.leases import GPUS_LABEL
from ddspec.executors.streams import pieces, save
from ddspec.executors.taking_back import take_back
from ddspec.executors.watching import gone_is_fine, inspected_state, look, remove
from ddspec.host import boot_id
from ddspec.wire.job import Job

LOCK = ".retiring"
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


def retire(
    engine: Engine, facts: EngineFacts, root: Path, scratch: Path
) -> Mapping[str, JsonValue]:
    """Save what is left of the attempt in `root`, remove its container, and return where it ran.

    `scratch` holds the folders of its stages. Raises DdspecError (exit 5) where it is not over.
    """
    with _alone(root):
        end = read_end(root)
        if end is None:
            end = _save(engine, facts, root, scratch)
    found = look(engine, root.name)
    if found is not None:
        remove(engine, found["Id"], force=True)
    return end.place


def place_of(inspected: Mapping[str, Any], facts: EngineFacts) -> Mapping[str, JsonValue]:
    """Return where a container ran, for the journal."""
    labels = inspected["Config"]["Labels"]
    gpus = labels.get(GPUS_LABEL, "")
    return {
        "image": labels.get(IMAGE, ""),
        "image_id": inspected["Image"],
        "engine": f"{facts.product} {facts.version}",
        "gpus": gpus.split(",") if gpus else [],
    }


def _save(engine: Engine, facts: EngineFacts, root: Path, scratch: Path) -> End:
    found = look(engine, root.name)
    if found is None:
        end = End(REMOVED, boot_id())
    else:
        state = inspected_state(found, root)
        if not state.over:
            raise DdspecError(f"{name_of(root.name)} is not over", exit=Exit.REFUSED)
        with full_disk_named(root):
            for stream in STREAMS:
                with gone_is_fine():
                    save(pieces(engine.api, found["Id"], stream), root / stream)
        end = End(state, boot_id(), place_of(found, facts))
    owner = (0, os.getegid()) if os.geteuid() == 0 and not facts.rootless else None
    take_back([root / "output"], owner)
    take_back(_scratch_of(root, scratch), owner, plain=True)  # a later job goes on with them
    with full_disk_named(root):
        write_end(root, end)
    return end


def _scratch_of(root: Path, scratch: Path) -> tuple[Path, ...]:
    """Return the scratch folders of the stages of an attempt, by its job."""
    try:
        job = Job.model_validate_json((root / "job/job.json").read_bytes())
    except (OSError, ValueError):
        return ()
    return tuple(scratch / stage.key for stage in job.stages)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Let one run at a time take an attempt down: taking folders back must not come too late."""
    root.mkdir(exist_ok=True)
    descriptor = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
