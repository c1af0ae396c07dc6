"""The executors of a store by name, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ddspec.executors.base import Executor
from ddspec.executors.registry import make_executor
from ddspec.run.dispatch import site_of
from ddspec.store.store import Store


def places_of(store: Store) -> Callable[[str], Executor[Any]]:
    """Return what makes the executor of a name; it raises DdspecError for one unknown here."""
    made: dict[str, Executor[Any]] = {}

    def place(name: str) -> Executor[Any]:
        if name not in made:
            made[name] = make_executor(name, site_of(store))
        return made[name]

    return place
