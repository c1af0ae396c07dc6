"""How a container's job ended: judging what its engine says, and the record that outlives it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from ddspec.canon import Json, canonical
from ddspec.disk import write_whole
from ddspec.executors.base import JobState, Phase
from ddspec.executors.local import EXITS, judge
from ddspec.host import boot_id
from ddspec.wire.job import JobExit

FILE = "end.json"
FORMAT = "ddspec.end/1"
RESTARTED = JobState(Phase.LOST, reason="the machine was restarted", intact=False)
REMOVED = JobState(Phase.LOST, reason="its container was removed")
UNKNOWN = 255
"""Exit code that engines give to a container whose end they did not see."""


@dataclass(frozen=True, slots=True)
class End:
    """What is left of a job when its container is gone."""

    state: JobState
    boot: str
    """Boot of the machine in which this was written: before the next one, files are as they were.
    """
    place: Mapping[str, JsonValue] = field(default_factory=dict)
    """Where it ran."""


def read_end(root: Path) -> End | None:
    """Return how the attempt in a folder ended; None where nobody has written it down."""
    try:
        plain = json.loads((root / FILE).read_bytes())
        state = plain["state"]
        return End(
            JobState(Phase(state["phase"]), state["exit"], state["reason"], state["intact"]),
            plain["boot"],
            plain["place"],
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_end(root: Path, end: End) -> None:
    """Write down how an attempt ended, whole and durable."""
    state = end.state
    plain: Json = {
        "format": FORMAT,
        "state": {
            "phase": state.phase.value,
            "exit": state.exit,
            "reason": state.reason,
            "intact": state.intact,
        },
        "boot": end.boot,
        "place": dict(end.place),
    }
    write_whole(root / FILE, canonical(plain) + b"\n", durable=True)


def state_of_end(end: End) -> JobState:
    """Return what the record of an end says now: after a restart, files may be half on disk."""
    return end.state if end.boot == boot_id() else RESTARTED


def judge_container(inspected: Mapping[str, Any]) -> JobState:
    """Return what an engine's account of a container that has ended says of its job.

    `inspected` is the answer of `GET /containers/ID/json`.
    """
    state = inspected["State"]
    code = int(state.get("ExitCode") or 0)
    limit = int((inspected.get("HostConfig") or {}).get("Memory") or 0)
    if state.get("OOMKilled") and code != JobExit.TERMINATED:
        return _out_of_memory(code, limit)
    if code == UNKNOWN:
        return JobState(Phase.LOST, code, "the container engine went down under it")
    if code == 128 + 9:
        return JobState(Phase.LOST, code, "it was killed from outside")
    if code == 128 + 7:
        reason = "bus error: its shared memory may be full; give more with `--shm`"
        return JobState(Phase.FAILED, code, reason)
    return judge(code)


def _out_of_memory(code: int, limit: int) -> JobState:
    bound = f"the container's limit is {megabytes(limit)}" if limit else "it had no limit"
    out = "give more with `--memory`, or run fewer `--jobs` at a time"
    if code == 128 + 9:
        return JobState(Phase.FAILED, code, f"out of memory: {bound}; {out}")
    what = EXITS.get(code, "the runner died") if code else "the runner ended well"
    reason = f"a process of the job was killed for memory: {bound}; {what}, exit code {code}; {out}"
    return JobState(Phase.FAILED, code, reason)


def megabytes(size: int) -> str:
    """Return a number of bytes for people, as `--memory` takes it.

    >>> megabytes(256), megabytes(512 << 20), megabytes(3 << 29)
    ('256 bytes', '512 MiB', '1.5 GiB')
    """
    if size < 1 << 20:
        return f"{size:,} bytes"
    return f"{size / (1 << 20):.4g} MiB" if size < 1 << 30 else f"{size / (1 << 30):.4g} GiB"
