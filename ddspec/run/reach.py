"""What must stay in a store: what documents reach, what is being made, what living runs count on.

The caller holds the lock of `store.holds.changing` where it removes anything by the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddspec.canon import Digest
from ddspec.errors import DdspecError
from ddspec.executors.base import Executor, Phase
from ddspec.run.outputs import read_regular
from ddspec.store.claims import Claim
from ddspec.store.holds import Hold
from ddspec.store.store import Store

LARGEST_JOB = 1 << 26
"""Bytes of a job.json that is still read."""
STARTED, END = "started", "end.json"
"""Files of an attempt in a container: it was started, it is over."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What stays, by why."""

    reached: frozenset[Digest]
    """Stages of documents."""
    names: frozenset[str]
    """Names of their experiments."""
    claims: tuple[Claim, ...]
    """Of stages that are being made, or that the next run takes over."""
    dead: tuple[Claim, ...]
    """Of stages that nothing reaches, whose run is gone and whose job is over."""
    holds: tuple[Hold, ...]
    """Of living runs."""
    attempts: frozenset[str]
    """Jobs that may live."""
    used: frozenset[Digest]
    """Stages that claimed jobs make or read."""

    @property
    def keys(self) -> frozenset[Digest]:
        """All keys that stay."""
        return self.reached.union(self.used, *(hold.keys for hold in self.holds))


def reach_of(
    store: Store,
    keys: Collection[Digest],
    names: Collection[str],
    place: Callable[[str], Executor[Any]],
) -> Reach:
    """Return what stays where documents reach some keys; `place` makes the executor of a name."""
    reached, holds = frozenset(keys), store.holds.all()
    living = frozenset(_living(store, place))
    safe = reached.union(*(hold.keys for hold in holds))
    claims: list[Claim] = []
    dead: list[Claim] = []
    for claim in store.claims.all():
        gone = claim.key not in safe and _is_dead(claim, living, place)
        (dead if gone else claims).append(claim)
    attempts = living | {claim.attempt for claim in claims}
    used = {claim.key for claim in claims}
    for attempt in attempts:
        used.update(_read_or_made(store.layout.attempts / attempt))
    return Reach(
        reached, frozenset(names), tuple(claims), tuple(dead), holds, attempts, frozenset(used)
    )


def bury(store: Store, dead: Iterable[Claim], place: Callable[[str], Executor[Any]]) -> None:
    """Take down what is left of dead jobs, and drop their claims; the silent keep theirs."""
    for claim in dead:
        executor = place(claim.executor)
        with suppress(DdspecError):
            # one that died before it wrote the handle down may have started its job all the same
            handle = claim.handle or executor.settle(claim.attempt)
            if handle is not None:
                if not executor.poll([handle])[handle].over:
                    continue
                executor.retire(handle)
            with store.claims.lock(claim.key):
                store.claims.drop(claim.key, claim.attempt)


def stage_keys(root: Path) -> frozenset[Digest]:
    """Return the keys of the stages of an attempt, by its job; empty where that cannot be read."""
    return frozenset(str(stage["key"]) for stage in _stages(root))


def _read_or_made(root: Path) -> Iterator[Digest]:
    for stage in _stages(root):
        yield str(stage["key"])
        yield from map(str, stage["inputs"].values())


def _stages(root: Path) -> list[dict[str, Any]]:
    try:
        plain = json.loads(read_regular(root / "job" / "job.json", limit=LARGEST_JOB))
        return [stage for stage in plain["stages"] if stage["key"] and stage["inputs"] is not None]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def _living(store: Store, place: Callable[[str], Executor[Any]]) -> Iterator[str]:
    """Yield the attempts whose jobs live, claimed or not; of a silent engine, all that may."""
    yield from place("local").find(store.id)
    loose = [root.name for root in store.layout.attempts.iterdir() if _may_live(root)]
    if not loose:
        return
    try:
        found = place("docker").find(store.id)
    except DdspecError:
        yield from loose
    else:
        yield from found


def _may_live(root: Path) -> bool:
    """Tell whether an attempt began in a container whose end nobody has written down."""
    return (root / STARTED).exists() and not (root / END).exists()


def _is_dead(claim: Claim, living: Collection[str], place: Callable[[str], Executor[Any]]) -> bool:
    """Tell whether no run and no job stands behind a claim."""
    if claim.owner.alive() or not claim.owner.here() or claim.attempt in living:
        return False
    if claim.handle is None:
        return True
    try:
        state = place(claim.executor).poll([claim.handle])[claim.handle]
    except DdspecError:  # a place that a later version knows
        return False
    return state.over and state.phase is not Phase.UNREACHABLE
