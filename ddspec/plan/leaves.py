"""Nested values as leaves by dotted path, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ddspec.canon import Json


@dataclass(frozen=True, slots=True)
class Edit:
    """A leaf that differs; a value is None also where the leaf does not exist."""

    path: str
    before: Json
    after: Json


def leaves(value: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Yield (path, value) of everything that is no section; a list is one leaf.

    >>> list(leaves({"pool": {"epochs": 2, "rates": [1, 2]}}))
    [('pool.epochs', 2), ('pool.rates', [1, 2])]
    """
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def edits(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[Edit, ...]:
    """Return the leaves that differ, in the order of `after`, those that are gone last."""
    was, now = dict(leaves(before)), dict(leaves(after))
    return tuple(
        Edit(path, was.get(path), now.get(path))
        for path in dict.fromkeys([*now, *was])
        if was.get(path) != now.get(path)
    )
