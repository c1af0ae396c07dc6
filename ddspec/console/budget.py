"""Text that stays under a limit by construction: what has no room is counted instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

GITHUB = 65_536
"""Characters that a comment on GitHub may have. Bytes of UTF-8 are counted, which are no fewer."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A table that is folded away."""

    opening: str
    rows: Iterable[str]
    """Rendered only as far as there is room."""
    closing: str
    more: str
    """The row that stands for those without room; `{}` is how many."""
    count: int
    """Of all rows, also those that are not in `rows`."""


@dataclass(slots=True)
class Budget:
    """Text as it grows, and the room that is left."""

    room: int
    parts: list[str] = field(default_factory=list)

    def add(self, text: str) -> bool:
        """Add a text whole, if there is room for it."""
        if weight(text) > self.room:
            return False
        self.parts.append(text)
        self.room -= weight(text)
        return True

    def add_fold(self, fold: Fold) -> bool:
        """Add a table with as many rows as there is room for; nothing if there is none for one."""
        rows, left = self._fitting(fold)
        if not rows:
            return False
        last = fold.more.format(left) if left else ""
        return self.add("".join((fold.opening, *rows, last, fold.closing)))

    def _fitting(self, fold: Fold) -> tuple[list[str], int]:
        room = self.room - weight(fold.opening + fold.closing + fold.more.format(fold.count))
        rows = within(fold.rows, room)
        return rows, fold.count - len(rows)

    @property
    def text(self) -> str:
        """All that was added."""
        return "".join(self.parts)


def weight(text: str) -> int:
    """Return what a text takes of a limit."""
    return len(text.encode("utf-8", "replace"))


def within(rows: Iterable[str], room: int) -> list[str]:
    """Return the first rows that together weigh no more than `room`."""
    shown: list[str] = []
    for row in rows:
        room -= weight(row)
        if room < 0:
            break
        shown.append(row)
    return shown
