"""Where a job is, in words that a person can look it up by, read from its handle alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ddspec.executors.base import Handle
from ddspec.host import ProcessId


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """One of both is known, or neither."""

    process: ProcessId | None = None
    """The parent of a local job, which leads its group."""
    container: str | None = None
    """Name of a container, as its engine lists it."""

    def words(self) -> str:
        """Return it for people; empty where nothing is known."""
        if self.process is not None:
            host = "" if self.process.here() else f" on {self.process.host}"
            return f"process {self.process.pid}{host}"
        return "" if self.container is None else self.container


def whereabouts(handle: Handle | None) -> Whereabouts:
    """Return where the job of a handle is; nothing for one of another version."""
    try:
        match json.loads(handle or ""):
            case ["docker", str(), str(attempt)]:
                return Whereabouts(container=f"ddspec-{attempt}")
            case [str(host), str(boot), int(pid), str(birth), str()]:
                return Whereabouts(process=ProcessId(host, boot, pid, birth))
            case _:
                return Whereabouts()
    except ValueError:
        return Whereabouts()
