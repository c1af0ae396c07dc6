"""Locations of data may name `DDSPEC_*` variables; nothing else in a spec may."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.spec.merge import without
from ddspec.spec.nodes import Node

LOCATIONS: frozenset[tuple[str | int, ...]] = frozenset({("dataset", "path")})
"""Where `${DDSPEC_NAME}` is allowed: settings that are no part of any identity."""

MISPLACED = "variables may be used only in `dataset.path`"

_VARIABLE = re.compile(r"\$\{(DDSPEC_[A-Z0-9_]+)\}")


def expand_location(text: str, environ: Mapping[str, str]) -> str:
    """Return a location with its `${DDSPEC_NAME}` replaced from `environ`, once.

    Raises `DdspecError` (unable) that names the variables that are not set.
    """
    missing = [name for name in _VARIABLE.findall(text) if name not in environ]
    if missing:
        raise DdspecError(
            [
                Diagnostic(f"`{name}` is not set", hint=f"the spec's `dataset.path` is `{text}`")
                for name in dict.fromkeys(missing)
            ],
            exit=Exit.UNABLE,
        )
    return _VARIABLE.sub(lambda found: environ[found[1]], text)


def misplaced_variables(root: Node) -> Iterator[Diagnostic]:
    """Yield a problem for every `${` outside a location, or of a variable that is not ours.

    A matrix is not looked at; the settings that its variants make are.
    """
    for path, node in _texts(without(root, ("matrix",))):
        allowed = path in LOCATIONS
        rest = _VARIABLE.sub("", str(node.value)) if allowed else str(node.value)
        if "${" not in rest:
            continue
        place = node.place
        if allowed:
            message = "only variables `${DDSPEC_NAME}` may be used in a location"
        else:
            message = MISPLACED
        yield Diagnostic(message, place)


def _texts(root: Node) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """Yield the texts of a document with their paths; what is aliased only once."""
    seen: set[int] = set()
    stack: list[tuple[tuple[str | int, ...], Node]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if isinstance(node.value, str):
            yield path, node
        for step, child in node.children.items():
            if not child.children or id(child) not in seen:
                seen.add(id(child))
                stack.append(((*path, step), child))
