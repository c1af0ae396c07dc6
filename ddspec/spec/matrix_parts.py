"""What a matrix is made of: settings, the points of an axis, axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ddspec.canon import canonical
from ddspec.spec.nodes import Node, Span

Path: TypeAlias = "tuple[str, ...]"


def dotted(path: Sequence[str]) -> str:
    """Return a path as a person writes it."""
    return ".".join(path)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a variant, and where its path and value are written."""

    path: Path
    key: Span
    node: Node


@dataclass(frozen=True, slots=True)
class Choice:
    """One point of an axis."""

    word: str
    """What it adds to the name of a variant; empty until it is worded."""
    settings: tuple[Setting, ...]
    named: bool = False
    """The word is a person's own."""

    def identity(self) -> bytes:
        """Return what an exclusion compares: the name of a named one, else the value."""
        return canonical(self.word if self.named else self.settings[0].node.value)


@dataclass(frozen=True, slots=True)
class Axis:
    """The values of one setting; with an empty path, variants with names."""

    path: Path
    key: Span
    choices: tuple[Choice, ...]
    word: str = ""
    """A person's own word for it in names."""
