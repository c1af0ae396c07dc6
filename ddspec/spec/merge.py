"""How one layer of a spec lies over another: trees in, a tree out that shares what did not change.

A mapping is merged key by key, unless it says that it is another kind of thing; then, like a
scalar, a list or null, it replaces what lies below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ddspec.canon import Json
from ddspec.spec.nodes import Node, Span

TAGS = ("kind", "law")
"""Keys by which a section says which member of a union it is."""
UNWRITTEN = {"decay": "steps", "optimizer": "sgd", "update": "sgd"}
"""The `kind` of sections, by their names, that need not write it."""


def merge(lower: Node, upper: Node, *, stay: bool = False, name: str | int = "") -> Node:
    """Return `upper` laid over `lower`; every value keeps its place.

    A section that both write is placed where the upper one writes it, or where the lower one does
    if it is to `stay`. `name` is the key of both in the section around them.
    """
    if not (isinstance(lower.value, dict) and isinstance(upper.value, dict)):
        return upper
    if _of_another_kind(lower, upper, name):
        return upper
    children, keys = dict(lower.children), dict(lower.keys)
    for key, child in upper.children.items():
        below = children.get(key)
        over = child if below is None else merge(below, child, stay=stay, name=key)
        children[key] = over
        if below is None or over.span != below.span or over.source is not below.source:
            keys[key] = upper.keys[key]
    return section(lower if stay else upper, children, keys, sound=lower.sound and upper.sound)


def made(value: Json, near: Node) -> Node:
    """Return a tree for a value that is written nowhere itself; all of it is placed at `near`."""
    if isinstance(value, dict):
        inner: dict[str | int, Node] = {key: made(item, near) for key, item in value.items()}
        return section(near, inner, dict.fromkeys(inner, near.span))
    if isinstance(value, list):
        inner = {index: made(item, near) for index, item in enumerate(value)}
        return replace(section(near, inner, {}), value=value)
    return Node(value, near.span, near.source)


def without(node: Node, names: Sequence[str]) -> Node:
    """Return a section that lacks some of its keys; itself where it has none of them."""
    if not any(name in node.children for name in names):
        return node
    children = {key: child for key, child in node.children.items() if key not in names}
    return section(node, children, {key: node.keys[key] for key in children}, sound=node.sound)


def only(node: Node, names: Sequence[str]) -> Node:
    """Return a section with no other keys than these."""
    children: dict[str | int, Node] = {
        name: node.children[name] for name in names if name in node.children
    }
    return section(node, children, {name: node.keys[name] for name in children}, sound=node.sound)


def section(
    like: Node, children: dict[str | int, Node], keys: dict[str | int, Span], *, sound: bool = True
) -> Node:
    """Return a section that is placed as `like` is."""
    return Node(
        value={str(key): child.value for key, child in children.items()},
        span=like.span,
        source=like.source,
        children=children,
        keys=keys,
        size=1 + len(keys) + sum(child.size for child in children.values()),
        height=1 + max((child.height for child in children.values()), default=0),
        sound=sound,
    )


def _of_another_kind(lower: Node, upper: Node, name: str | int) -> bool:
    for tag in TAGS:
        said = upper.children.get(tag)
        below = lower.children.get(tag)
        if said is not None and (below is not None or (tag == "kind" and name in UNWRITTEN)):
            was = UNWRITTEN[str(name)] if below is None else below.value
            if said.value != was:
                return True
    return False
