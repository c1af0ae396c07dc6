"""What a nested document has besides another one, by dotted path; and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from ddspec.canon import Json

Nested: TypeAlias = "Mapping[str, Any]"


class Delta(NamedTuple):
    """The way from one document to another."""

    changes: dict[str, Json]
    """Values by dotted path, that are new or others."""
    gone: list[str]
    """Dotted paths of what is no longer there."""


def common(documents: Sequence[Nested]) -> dict[str, Any]:
    """Return what all documents have, down to the leaves; lists count as leaves."""
    first, rest = documents[0], documents[1:]
    found: dict[str, Any] = {}
    for name, value in first.items():
        others = [other[name] for other in rest if name in other]
        if len(others) < len(rest):
            continue
        if all(value == other for other in others):
            found[name] = value
        elif all(isinstance(other, dict) for other in (value, *others)):
            found |= {name: inner} if (inner := common([value, *others])) else {}
    return found


def delta(base: Nested, own: Nested, above: str = "") -> Delta:
    """Return how to come from `base` to `own`; a section of another kind is replaced whole."""
    found = Delta({}, [above + name for name in base if name not in own])
    for name, value in own.items():
        before = base.get(name)
        if name in base and (before is value or before == value):
            continue
        if isinstance(value, dict) and isinstance(before, dict) and _alike(before, value):
            inner = delta(before, value, f"{above}{name}.")
            found.changes.update(inner.changes)
            found.gone.extend(inner.gone)
        else:
            found.changes[above + name] = value
    return found


def applied(base: Nested, changes: Nested, gone: Sequence[str] = ()) -> dict[str, Any]:
    """Return a document with the changes of a delta; what they do not touch is shared.

    Raises ValueError for a path through what is no section, KeyError for one that leads nowhere.
    """
    document = dict(base)
    for path, value in changes.items():
        section, last = _opened(document, path)
        section[last] = value
    for path in gone:
        section, last = _opened(document, path)
        del section[last]
    return document


def _alike(one: Nested, other: Nested) -> bool:
    return one.get("kind") == other.get("kind") and one.get("law") == other.get("law")


def _opened(document: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """Return the section of a path's last step, copied on the way; it may be new."""
    *above, last = path.split(".")
    section = document
    for step in above:
        inner = section.get(step, {})
        if not isinstance(inner, dict):
            raise ValueError(f"`{path}` lies in no section")
        section[step] = dict(inner)
        section = section[step]
    return section, last
