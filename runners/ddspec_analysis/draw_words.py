"""Names on a figure: drawn as they are, broken into lines where they are long."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Characters that no figure shows and that XML or the order of the others might not survive."""
INCHES_PER_CHAR = 0.082
"""Width of a character of the text of figures, on the generous side."""


def shown(text: str) -> str:
    """Return text on one line, with U+FFFD for what cannot be drawn."""
    spaced = " ".join(text.split())
    if spaced.isprintable():
        return spaced
    return "".join("\ufffd" if unicodedata.category(char) in HIDDEN else char for char in spaced)


def wrapped(text: str, columns: int, lines: int) -> str:
    """Return text in at most so many lines; what does not fit ends in an ellipsis."""
    found = textwrap.wrap(shown(text), max(4, columns))
    if len(found) > lines:
        last = found[lines - 1]
        found = [*found[: lines - 1], last[: max(4, columns) - 1].rstrip() + "…"]
    return "\n".join(found)


def columns_of(inches: float) -> int:
    """Return how many characters fit into a width."""
    return max(4, int(inches / INCHES_PER_CHAR))


def longest(texts: Sequence[str]) -> int:
    """Return the length of the longest line."""
    return max((len(line) for text in texts for line in text.split("\n")), default=0)


def thinned(texts: Sequence[str], most: int) -> list[tuple[int, str]]:
    """Return evenly spaced names with their positions, no more than can be read."""
    step = max(1, -(-len(texts) // most))
    return [(at, texts[at]) for at in range(0, len(texts), step)]
