"""Named lines of text: a name on the left, words wrapped beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

INDENT = 12
"""Columns of the names."""


def wrapped(name: str, parts: Sequence[str], width: int) -> list[str]:
    """Return parts joined by dots, broken before a part, or in it where it must be.

    No line is longer than `width`; the first begins with the name.
    """
    indent = max(INDENT, len(name) + 2)
    lines = _joined(parts, width - indent)
    return [f" {name if at == 0 else '':<{indent - 1}}{line}" for at, line in enumerate(lines)]


def placed(lines: Sequence[str], where: str, width: int) -> list[str]:
    """Return lines with a place at the right edge of the first that has room for it.

    Its folder is left out where there is no room for that.
    """
    found = list(lines)
    if not where:
        return found
    for at, line in enumerate(found):
        if len(line) + 2 + len(where) <= width:
            return [*found[:at], f"{line:<{width - len(where)}}{where}", *found[at + 1 :]]
    short = where.rpartition("/")[2]
    return placed(found, short, width) if short != where else [*found, f"{where:>{width}}"]


def _joined(parts: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and len(joined) <= width:
            lines[-1] = joined
        else:
            lines += _broken(part, width)
    return lines


def _broken(text: str, width: int) -> list[str]:
    lines = [""]
    for word in _words(text, width):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line]


def _words(text: str, width: int) -> Iterator[str]:
    """Yield the words of a text, in pieces where one is longer than a line."""
    for word in text.split(" "):
        yield from (word[at : at + width] for at in range(0, max(1, len(word)), width))
