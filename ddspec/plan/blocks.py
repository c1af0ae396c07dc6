"""The YAML of plan files: indented blocks of keys, everything else JSON on one line.

A small, strict part of YAML 1.2 that any YAML reader takes; writing and reading 2,000 stages takes
milliseconds where a general reader takes seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from ddspec.canon import Json
from ddspec.errors import DdspecError, Diagnostic, Exit, Place

WIDTH = 96
"""A value that is longer than this on one line is written as a block, where it can be."""
MAX_BYTES = 4 * 2**20
PLAIN = re.compile(r"[a-z][a-z0-9_./-]*")
AMBIGUOUS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""Words that some YAML reader does not take for text."""
LINE = re.compile(r'( *)(?:(- )|([A-Za-z0-9_./-]+|"(?:[^"\\]|\\.)*"):(?: |$))(.*)')
BARE = re.compile(r"[A-Za-z0-9_./-]+")
"""Keys that are written without quotes."""
CONFLICT = re.compile(r"(?m)^(<<<<<<<|=======|>>>>>>>)")


def emit(document: Mapping[str, Json]) -> str:
    """Return a document as text, the same on every machine."""
    return "\n".join(_mapping(document, 0)) + "\n"


def parse(text: str, name: str) -> dict[str, Json]:
    """Return the document that `emit` wrote; `name` stands for the file in messages.

    Raises `DdspecError`: changed where a merge left its markers, invalid for what is not this YAML.
    """
    marker = CONFLICT.search(text)
    if marker:
        line = text.count("\n", 0, marker.start()) + 1
        hint = "make the plan again: a plan file is never merged"
        raise DdspecError(
            [Diagnostic("a merge left a conflict in this plan", Place(name, line, 1), hint)],
            exit=Exit.CHANGED,
        )
    lines = _Lines(name, tuple(_lines(text, name)))
    document, end = lines.mapping(0, 0)
    if end < len(lines.lines):
        lines.refuse(lines.lines[end].number, "this line is indented too far")
    return document


def _mapping(value: Mapping[str, Json], indent: int) -> Iterator[str]:
    for key, inner in value.items():
        name = f"{' ' * indent}{key if BARE.fullmatch(key) else json.dumps(key)}:"
        flow = _flow(inner)
        if isinstance(inner, Mapping) and inner and len(flow) > WIDTH:
            yield name
            yield from _mapping(inner, indent + 2)
        elif isinstance(inner, (list, tuple)) and len(flow) > WIDTH and not _scalars(inner):
            yield name
            yield from (f"{' ' * (indent + 2)}- {_flow(item)}" for item in inner)
        else:
            yield f"{name} {flow}"


def _scalars(items: Sequence[Json]) -> bool:
    """Tell whether a list holds only scalars; it stays on one line, however long."""
    return not any(isinstance(item, (Mapping, list, tuple)) for item in items)


def _flow(value: Json) -> str:
    if isinstance(value, str) and PLAIN.fullmatch(value) and value not in AMBIGUOUS:
        return value
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # Unicode has line ends and invisible marks on which readers and terminals disagree.
    return text if text.isprintable() else json.dumps(value, allow_nan=False)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    key: str | None
    """None for an item of a list."""
    value: str


def _lines(text: str, name: str) -> Iterator[_Line]:
    for number, ended in enumerate(text.split("\n"), start=1):
        line = ended.removesuffix("\r")
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            _refuse(name, number, "this is no line of a plan file")
        key = match[3]
        if key is not None and key.startswith('"'):
            try:
                key = json.loads(key)
            except ValueError:
                _refuse(name, number, "this key cannot be read")
        yield _Line(number, len(match[1]), key, match[4])


@dataclass(frozen=True, slots=True)
class _Lines:
    name: str
    lines: tuple[_Line, ...]

    def mapping(self, start: int, indent: int) -> tuple[dict[str, Json], int]:
        """Return the mapping that begins at a line, and the line after it."""
        found: dict[str, Json] = {}
        at = start
        while at < len(self.lines) and self.lines[at].indent == indent:
            line = self.lines[at]
            if line.key is None:
                self.refuse(line.number, "an item of a list where a key should be")
            if line.key in found:
                self.refuse(line.number, f"`{line.key}` is there twice")
            if line.value:
                found[line.key], at = self.value(line), at + 1
            else:
                found[line.key], at = self.block(at + 1, line)
        return found, at

    def block(self, start: int, parent: _Line) -> tuple[Json, int]:
        """Return the mapping or list below a key."""
        if start >= len(self.lines) or self.lines[start].indent <= parent.indent:
            self.refuse(parent.number, f"`{parent.key}` has no value")
        indent = self.lines[start].indent
        if self.lines[start].key is not None:
            return self.mapping(start, indent)
        end = start
        while end < len(self.lines) and self.lines[end].indent == indent:
            if self.lines[end].key is not None:
                self.refuse(self.lines[end].number, "a key where an item of a list should be")
            end += 1
        return [self.value(line) for line in self.lines[start:end]], end

    def value(self, line: _Line) -> Json:
        """Return what stands on one line."""
        if PLAIN.fullmatch(line.value) and line.value not in AMBIGUOUS:
            return line.value
        try:
            parsed: Json = json.loads(
                line.value, object_pairs_hook=_unique, parse_constant=_no_constant
            )
        except (ValueError, RecursionError) as error:
            self.refuse(line.number, f"this value cannot be read: {error}")
        return parsed

    def refuse(self, number: int, message: str) -> NoReturn:
        """Raise at a line."""
        _refuse(self.name, number, message)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number of a plan")


def _refuse(name: str, number: int, message: str) -> NoReturn:
    raise DdspecError(
        [Diagnostic(message, Place(name, number, 1), "make the plan again with `ddspec plan -o`")],
        exit=Exit.INVALID,
    )
