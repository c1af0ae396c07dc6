"""YAML as a tree whose every value knows its place, for text that may be hostile.

ruamel.yaml parses to events; the tree, its limits and the types of scalars are ours. Aliases share
the node that they name, so a document that grows exponentially is refused before it grows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
)

from ddspec.canon import Json
from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.spec.events import parse
from ddspec.spec.scalars import resolve
from ddspec.spec.source import Source, checked
from ddspec.visible import visible

MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_PROBLEMS = 100
"""Problems of form after which reading stops."""

Span: TypeAlias = "tuple[int, int]"
"""Character offsets of the beginning and, exclusively, the end."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value, where it is written, and what lies inside it."""

    value: Json
    span: Span
    source: Source
    """The text that `span`, and the name of this node in the section around it, lie in."""
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str | int, Span] = field(default_factory=dict)
    """Where the name of each child is written; empty for a list."""
    size: int = 1
    """Nodes of this subtree, keys included, with aliases counted where they are used."""
    height: int = 1
    sound: bool = True
    """False once something inside was refused: then nothing more is said about its value."""

    @property
    def place(self) -> Place:
        """Where all of it is written."""
        return self.source.place(*self.span)

    def find(self, *path: str | int) -> Node | None:
        """Return the node at `path` below this one, or None where nothing is written."""
        node = self
        for step in path:
            if step not in node.children:
                return None
            node = node.children[step]
        return node


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document: its root, its text, and the problems of form found on the way.

    A layered one has nodes of several texts; `source` is that of the file that a person named.
    """

    root: Node
    source: Source
    problems: tuple[Diagnostic, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    """How each other file came in: `extended by x.yaml:1`, by its name in messages."""

    def place(self, *path: str | int) -> Place:
        """Return where the value at `path` is written, or its nearest parent that is written.

        A scalar is shown itself; a section, a list or a key without a value by its key.
        """
        node, name = self.root, (self.root.span[0], self.root.span[0] + 1)
        for step in path:
            if step not in node.children:
                break
            name = node.keys.get(step, (node.children[step].span[0],) * 2)
            node = node.children[step]
        by_name = isinstance(node.value, (dict, list)) or node.span[0] == node.span[1]
        return node.source.place(*(name if by_name else node.span))

    def key_place(self, *path: str | int) -> Place:
        """Return where the name of the last step of `path` is written."""
        *above, last = path
        node = self.find(*above)
        if node is None or last not in node.keys:
            return self.place(*path)
        return node.children[last].source.place(*node.keys[last])

    def find(self, *path: str | int) -> Node | None:
        """Return the node at `path`, or None where nothing is written."""
        return self.root.find(*path)

    def text(self, node: Node) -> str:
        """Return the text of a node as it was written."""
        return node.source.text[slice(*node.span)]


def compose(source: Source) -> Document:
    """Parse one YAML 1.2 document.

    Problems that leave the rest readable (a duplicate key, a tag, NaN, ...) are collected in the
    document; a caller adds its own and raises them together. Raises `DdspecError` (invalid) at
    once for what is not one YAML document of at most 64 levels and 50,000 nodes.
    """
    composer = _Composer(checked(source))
    root = composer.run()
    return Document(root, source, tuple(composer.problems))


@dataclass(slots=True)
class _Open:
    """A section or list whose end has not been seen."""

    event: CollectionStartEvent
    children: dict[str | int, Node] = field(default_factory=dict)
    keys: dict[str | int, Span] = field(default_factory=dict)
    key: tuple[str | None, Span] | None = None
    """The name whose value comes next; None as the name where it was refused."""

    @property
    def awaits_key(self) -> bool:
        return isinstance(self.event, MappingStartEvent) and self.key is None


class _Composer:
    """Builds the tree from events; one use."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Diagnostic] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}
        self.nodes = 0
        self.root: Node | None = None

    def run(self) -> Node:
        for event in parse(self.source):
            self._take(event)
        if self.root is None:
            shown = visible(self.source.file)
            raise _fatal(Diagnostic(f"`{shown}` is empty", self.source.place(0)))
        return self.root

    def _take(self, event: Event) -> None:
        match event:
            case DocumentStartEvent() if self.root is not None:
                self._stop("a second document begins here; one file holds one document", event)
            case ScalarEvent() if self.open and self.open[-1].awaits_key:
                self._name(event)
            case ScalarEvent():
                self._count(event, 1)
                self._done(self._scalar(event), event.anchor)
            case AliasEvent():
                self._done(self._alias(event), None)
            case CollectionStartEvent():
                self._begin(event)
            case CollectionEndEvent():
                self._end(event)
            case _:
                pass

    def _begin(self, event: CollectionStartEvent) -> None:
        self._count(event, 1)
        if self.open and self.open[-1].awaits_key:
            self._stop("a key must be plain text", event)
        if len(self.open) >= MAX_DEPTH:
            self._stop(f"nested more than {MAX_DEPTH} levels deep", event)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.open.append(_Open(event))

    def _end(self, event: CollectionEndEvent) -> None:
        top = self.open.pop()
        inner = tuple(top.children.values())
        values = {key: node.value for key, node in top.children.items()}
        mapping = isinstance(top.event, MappingStartEvent)
        node = Node(
            value=values if mapping else list(values.values()),  # type: ignore[arg-type]  # keys of a mapping are text
            span=(top.event.start_mark.index, event.end_mark.index),
            source=self.source,
            children=top.children,
            keys=top.keys,
            size=1 + len(top.keys) + sum(child.size for child in inner),
            height=1 + max((child.height for child in inner), default=0),
            sound=self._untagged(top.event),
        )
        self._done(node, top.event.anchor)

    def _name(self, event: ScalarEvent) -> None:
        self._count(event, 1)
        span, top = _span(event), self.open[-1]
        top.key = (None, span)
        if event.implicit[0] and event.value == "<<":
            hint = "write the keys out, or give a whole section an alias"
            self._problem("merge keys (`<<`) are not allowed", span, hint)
        elif not isinstance(text := self._scalar(event).value, str):
            self._problem(f"a key must be text, not `{visible(event.value[:40])}`", span)
        elif text in top.keys:
            first = self.source.place(*top.keys[text]).line
            shown = visible(text[:40])
            self._problem(f"duplicate key `{shown}`", span, f"it is first given on line {first}")
        else:
            top.key = (text, span)

    def _scalar(self, event: ScalarEvent) -> Node:
        sound, span = self._untagged(event), self._bare_span(event)
        if not event.implicit[0]:
            return Node(event.value, span, self.source, sound=sound)
        try:
            return Node(resolve(event.value), span, self.source, sound=sound)
        except ValueError as error:
            self._problem(str(error), span)
            return Node(None, span, self.source, sound=False)

    def _bare_span(self, event: ScalarEvent) -> Span:
        """Return where a scalar is written, without the anchor before it."""
        start, end = _span(event)
        anchor = _ANCHOR.match(self.source.text, start) if event.anchor else None
        return (min(anchor.end(), end), end) if anchor else (start, end)

    def _alias(self, event: AliasEvent) -> Node:
        if self.open and self.open[-1].awaits_key:
            self._stop("a key must be plain text", event)
        shown = visible(event.anchor[:40])
        if event.anchor not in self.anchors:
            self._stop(f"alias `*{shown}` names no anchor above it", event)
        node = self.anchors[event.anchor]
        if node is None:
            self._stop(f"alias `*{shown}` lies inside what it names", event)
        self._count(event, node.size)
        if len(self.open) + node.height > MAX_DEPTH + 1:
            self._stop(f"nested more than {MAX_DEPTH} levels deep", event)
        return node

    def _done(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        if top.key is None:
            top.children[len(top.children)] = node
            return
        name, span = top.key
        top.key = None
        if name is not None:
            top.children[name] = node
            top.keys[name] = span

    def _count(self, event: Event, more: int) -> None:
        self.nodes += more
        if self.nodes > MAX_NODES:
            self._stop(f"more than {MAX_NODES:,} values, aliases counted where used", event)

    def _untagged(self, event: ScalarEvent | CollectionStartEvent) -> bool:
        if event.tag is None:
            return True
        start = event.start_mark.index
        written = _TAG.match(self.source.text, start)
        self._problem("tags are not allowed in a spec", written.span() if written else _span(event))
        return False

    def _problem(self, message: str, span: Span, hint: str = "") -> None:
        self.problems.append(self.source.problem(message, *span, hint=hint))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _fatal(*self.problems)

    def _stop(self, message: str, event: Event) -> NoReturn:
        raise _fatal(*self.problems, self.source.problem(message, *_span(event)))


_TAG = re.compile(r"\S+")
_ANCHOR = re.compile(r"&\S+\s*")


def _span(event: Event) -> Span:
    return event.start_mark.index, event.end_mark.index


def _fatal(*problems: Diagnostic) -> DdspecError:
    return DdspecError(problems, exit=Exit.INVALID)
