"""Text from elsewhere, made safe to print."""

from __future__ import annotations

import unicodedata

UNSAFE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories of Unicode whose characters could move, hide or reorder text on a terminal."""


def visible(text: str) -> str:
    """Replace, one for one, what could move, hide or reorder text on a terminal.

    Control and format characters (so bidirectional overrides), surrogates, separators and
    unassigned code points become U+FFFD; a tab becomes a space.
    """
    if text.isprintable():
        return text
    return "".join(_visible(char) for char in text)


def visible_lines(text: str) -> str:
    """Return the text with its line ends kept and everything else as `visible` shows it."""
    return "\n".join(map(visible, text.split("\n")))


def _visible(char: str) -> str:
    if char == "\t":
        return " "
    return "\ufffd" if unicodedata.category(char) in UNSAFE else char
