"""Who holds a GPU: containers, by a label that their engine lists; so the engine is the arbiter.

No engine can be asked to create a container only where no other has a label, and the time at which
one was created, as the engine tells it, comes before the moment at which others see it, so "the
earlier one wins" would let both win. Therefore everybody creates first and looks afterwards, and
only who sees no other holder goes on. Of two, one is there later, and looks after that: it sees the
other. Who of them steps back, and who waits for that, is what the time decides.

What programs without our label do with a GPU is not seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ddspec.executors.base import NoRoom
from ddspec.executors.gpu_locks import FOLDER, locked

GPUS_LABEL = "org.ddspec.gpus"
"""UUIDs of the GPUs that a container holds, separated by commas."""
HOLDING = frozenset({"running", "paused", "restarting"})
"""States in which a container holds its GPUs, whatever its age."""
STALE_S = 60.0
"""A container that was created that long ago and never started holds nothing: who made it died."""
START_WITHIN_S = 30.0
"""Whoever got a GPU starts the container in that time; half of what makes it stale."""
YIELD_S = 5.0
"""How long to wait for somebody who came later to step back."""
LOOK_EVERY_S = 0.02


class Containers(Protocol):
    """What is asked of an engine; docker's `APIClient` has it."""

    def containers(self, *, all: bool, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the containers that pass the filters."""
        ...


@dataclass(frozen=True, slots=True)
class Holder:
    """A container that holds a GPU."""

    id: str
    name: str
    created: float
    """Seconds since 1970, by the clock of the engine."""
    state: str

    @property
    def turn(self) -> tuple[float, str]:
        """What orders those who ask at the same time; the same for all who look."""
        return self.created, self.id


def lease(
    api: Containers,
    wanted: Sequence[str],
    create: Callable[[str], str],
    remove: Callable[[str], None],
    *,
    locks: Path = FOLDER,
) -> str:
    """Create a container that alone holds one of the wanted GPUs, and return its id.

    `create(uuid)` creates a container with that GPU and `GPUS_LABEL`, does not start it, and
    returns its id; `remove(id)` removes one that lost, or does nothing if it is gone. The caller
    starts the returned one within `START_WITHIN_S`. Raises NoRoom that says who holds what, and
    whatever the callables and the engine raise; then no container created here is left.
    """
    busy = []
    for uuid in wanted:
        rivals = [holder.name for holder in holders(api, uuid)]
        if not rivals and locked(uuid, locks):
            rivals = ["a local job"]
        if not rivals:
            begin = time.monotonic()
            container = create(uuid)
            try:
                rivals = _contend(api, uuid, container, begin)
            except BaseException:
                remove(container)
                raise
            if not rivals:
                return container
            remove(container)
        busy.append(f"{uuid} by {' and '.join(rivals)}")
    raise NoRoom(f"every GPU is taken: {', '.join(busy)}")


def holders(api: Containers, uuid: str) -> tuple[Holder, ...]:
    """Return the containers of an engine that hold a GPU, of any store and any user."""
    listed = api.containers(all=True, filters={"label": [GPUS_LABEL]})
    now = time.time()
    found = (holder for holder in _holders(listed, uuid) if holds(holder, now))
    return tuple(sorted(found, key=lambda holder: holder.turn))


def holds(holder: Holder, now: float) -> bool:
    """Return whether a container in its state, at that time, keeps others from its GPU."""
    if holder.state == "created":  # a time in the future is from before the clock was set back
        return abs(now - holder.created) <= STALE_S
    return holder.state in HOLDING


def _contend(api: Containers, uuid: str, container: str, begin: float) -> list[str]:
    """Return the names of those that hold the GPU after all; nobody, when it is ours."""
    while True:
        everyone = holders(api, uuid)
        mine = next((holder for holder in everyone if holder.id == container), None)
        rivals = [holder for holder in everyone if holder.id != container]
        waited = time.monotonic() - begin
        if mine is None or waited > START_WITHIN_S:
            raise NoRoom(f"the container for {uuid} was removed, or the engine is too slow")
        yielding = all(rival.state == "created" and mine.turn < rival.turn for rival in rivals)
        if not rivals or not yielding or waited > YIELD_S:
            return [rival.name for rival in rivals]
        time.sleep(LOOK_EVERY_S)


def _holders(listed: Sequence[Mapping[str, Any]], uuid: str) -> Iterator[Holder]:
    for container in listed:
        if uuid in container["Labels"][GPUS_LABEL].split(","):
            yield Holder(
                id=container["Id"],
                name=next((name.lstrip("/") for name in container["Names"] or ()), container["Id"]),
                created=float(container["Created"]),
                state=container["State"],
            )
