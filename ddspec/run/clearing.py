"""Removing from a store what nothing reaches, at the side of runs that go on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ddspec.canon import Digest
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Executor
from ddspec.run.reach import Reach, bury, reach_of
from ddspec.run.unreached import Unreached, unreached
from ddspec.store.removal import NotRemoved, begin
from ddspec.store.store import Store

PATIENCE_S = 10.0
"""How long to wait for another removal, or for runs that are beginning."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be kept, and how far removing goes."""

    keys: Collection[Digest]
    names: Collection[str]
    before: float
    """What changed later stays; seconds since 1970."""
    history: bool = False
    """Whether the journal of what is unreached goes too."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What stays, what goes, and what would not."""

    reach: Reach
    found: Unreached
    failed: tuple[NotRemoved, ...] = ()


def look(store: Store, wanted: Wanted, place: Callable[[str], Executor[Any]]) -> Cleared:
    """Return what `clear` would do; changes nothing."""
    reach = reach_of(store, wanted.keys, wanted.names, place)
    return Cleared(reach, unreached(store, reach, wanted.before, history=wanted.history))


def clear(store: Store, wanted: Wanted, place: Callable[[str], Executor[Any]]) -> Cleared:
    """Remove what nothing reaches and return what that was.

    Things are renamed away while no run can begin, and removed afterwards. Raises DdspecError
    (exit 5) where another removal is at work.
    """
    with store.holds.changing(PATIENCE_S) as alone:
        if not alone:
            raise DdspecError(
                f"somebody else is removing things from {store.layout.home}",
                exit=Exit.REFUSED,
                hint="try again in a while",
            )
        store.holds.sweep()
        bury(store, reach_of(store, wanted.keys, wanted.names, place).dead, place)
        cleared = look(store, wanted, place)
        removal = begin(store.layout)
        going = [thing for thing in cleared.found.things if thing.what != "remains"]
        failed = tuple(removal.take(thing.path for thing in going))
        _forget(store, [thing.of for thing in going if thing.what == "output"])
    removal.finish()
    return Cleared(cleared.reach, cleared.found, failed)


def _forget(store: Store, keys: Collection[Digest]) -> None:
    """Remove the notes of hosts that they had rehashed what is gone."""
    hosts = [path.name for path in (store.layout.home / "verified").iterdir() if path.is_dir()]
    for host in hosts:
        for key in keys:
            with suppress(OSError):
                store.layout.verified(host, key).unlink()
