"""Rows of words and numbers, aligned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def columns(rows: Iterable[Sequence[str]], *, left: int) -> list[str]:
    """Return rows aligned in columns, the first `left` of them to the left, the rest to the right.

    Every row is indented by one space, and none ends with spaces.
    """
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " "
        + "  ".join(
            f"{cell:<{width}}" if at < left else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
