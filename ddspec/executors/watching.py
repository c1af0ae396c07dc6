"""Looking at containers: which there are of a store, and where each is in its life."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ddspec.engine.connect import Engine
from ddspec.engine.faults import CONFLICT, NOT_FOUND, EngineRefused, translated
from ddspec.executors.base import JobState, Phase
from ddspec.executors.container import ATTEMPT, BOOT, HOME, STORE, name_of
from ddspec.executors.ends import REMOVED, RESTARTED, judge_container, read_end, state_of_end
from ddspec.host import boot_id
from ddspec.wire.job import JobExit

STARTED = "started"
"""File of an attempt whose container was started."""
LIVING = frozenset({"running", "paused", "restarting"})
ENDED = frozenset({"exited", "dead", "stopped"})
"""Podman says `stopped` for a moment."""
NOTICE_S = 0.5
"""An engine may hear that a process was killed for memory later than that its container ended.
Counted from that end, so that of hundreds which ended at once only the first is waited for."""
NOTICE_OF_KILLED_S = 2.0
"""The same for one that ended of SIGKILL, which mostly is for memory; a busy engine is slow."""
GHOST_S = 2.0
"""How long a container may live after SIGKILL; Docker itself answers only when it has ended."""
KILLED = 128 + 9
IMPROPER = "container state improper"
"""Podman's word for a conflict, which it tells with the status of a failure."""


@contextmanager
def gone_is_fine() -> Iterator[None]:
    """Leave the block where the container is not there, or not in a state for what was asked."""
    try:
        yield
    except EngineRefused as error:
        if error.status not in (NOT_FOUND, CONFLICT) and IMPROPER not in error.said:
            raise


def listed(engine: Engine, store_id: str, home: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the containers of a store in any state, as the engine lists them, by attempt."""
    labels = [f"{STORE}={store_id}", f"{HOME}={home}"]
    with translated("list containers"):
        found = engine.api.containers(all=True, filters={"label": labels})
    return {one["Labels"][ATTEMPT]: one for one in found}


def look(engine: Engine, attempt: str) -> Mapping[str, Any] | None:
    """Return what the engine knows of an attempt's container; None where there is none."""
    try:
        return _inspect(engine, name_of(attempt))
    except EngineRefused as error:
        if error.status != NOT_FOUND:
            raise
        return None


def status(inspected: Mapping[str, Any]) -> str:
    """Return the state of an inspected container in one word."""
    return str(inspected["State"]["Status"]).lower()


def remove(engine: Engine, container: str, *, force: bool) -> None:
    """Remove a container; without force, only one that does not run."""
    with gone_is_fine(), translated("remove a container"):
        engine.api.remove_container(container, force=force, v=True)


def stop(engine: Engine, found: Mapping[str, Any], attempt: str, *, force: bool) -> None:
    """Send SIGTERM, or SIGKILL, to a living container; a paused one goes on to take it."""
    if status(found) == "paused":
        with gone_is_fine(), translated("unpause a job"):
            engine.api.unpause(found["Id"])
    with gone_is_fine(), translated("stop a job"):
        engine.api.kill(found["Id"], signal="SIGKILL" if force else "SIGTERM")
    if force:
        remove_ghost(engine, attempt)


def remove_ghost(engine: Engine, attempt: str) -> None:
    """Remove a container that does not end of SIGKILL, once it has had the time to.

    An engine whose containerd was down when a container ended believes for ever that it runs (seen
    with Docker 20.10). It refuses to remove one whose processes do live.
    """
    end = time.monotonic() + GHOST_S
    while (found := look(engine, attempt)) is not None and status(found) in LIVING:
        if time.monotonic() > end:
            remove(engine, found["Id"], force=True)
            return
        time.sleep(GHOST_S / 20)


def live_state(found: Mapping[str, Any], root: Path) -> JobState | None:
    """Return the state of a job by the list's word for its container; None if it has ended.

    A restart of the machine ends a container whatever its engine believes.
    """
    state = str(found["State"]).lower()
    if state == "paused":
        return JobState(Phase.RUNNING, reason="paused")
    if state in LIVING or state == "removing":
        return JobState(Phase.RUNNING)
    if found["Labels"].get(BOOT) != boot_id():
        return RESTARTED
    if state in ENDED:
        return None
    if (root / STARTED).exists():
        return JobState(Phase.LOST, reason="the container engine lost it while it started")
    return JobState(Phase.PENDING)


def ended_state(engine: Engine, container: str, root: Path) -> JobState:
    """Return how a job ended whose container has; another run may be removing it right now."""
    try:
        inspected = _inspect(engine, container)
        rest = _rest_of_notice(inspected["State"])
        if rest > 0:
            time.sleep(rest)
            inspected = _inspect(engine, container)
    except EngineRefused as error:
        if error.status != NOT_FOUND:
            raise
        return absent_state(root)
    return judge_container(inspected)


def _inspect(engine: Engine, container: str) -> Mapping[str, Any]:
    with translated("look at a container"):
        found: Mapping[str, Any] = engine.api.inspect_container(container)
    return found


def _rest_of_notice(state: Mapping[str, Any]) -> float:
    """Return the seconds in which the engine may yet say that memory ended a job."""
    if state.get("OOMKilled") or state["ExitCode"] in (JobExit.DONE, JobExit.TERMINATED):
        return 0.0
    notice = NOTICE_OF_KILLED_S if state["ExitCode"] == KILLED else NOTICE_S
    return notice - _since(str(state.get("FinishedAt") or ""))


def _since(moment: str) -> float:
    """Return the seconds since an engine's time; 0 where it cannot be read or is yet to come."""
    try:
        then = datetime.fromisoformat(moment)
        return max(0.0, (datetime.now(UTC) - then).total_seconds())
    except (ValueError, TypeError):  # no time, or one without a zone
        return 0.0


def absent_state(root: Path) -> JobState:
    """Return the state of a job without a container: it was retired, or somebody removed it."""
    end = read_end(root)
    return REMOVED if end is None else state_of_end(end)


def inspected_state(inspected: Mapping[str, Any], root: Path) -> JobState:
    """Return the state of a job by all that its engine knows of its container."""
    found = {"State": status(inspected), "Labels": inspected["Config"]["Labels"]}
    return live_state(found, root) or judge_container(inspected)
