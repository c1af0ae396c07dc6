"""Tables in Markdown, every cell escaped unless we made it Markdown."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ddspec.console.markdown_text import Markdown, escaped


def table(
    head: Sequence[object], rows: Sequence[Sequence[object]], *, right: Container[int] = ()
) -> list[str]:
    """Return the lines of a table, some of its columns aligned to the right."""
    marks = [Markdown("---:" if at in right else "---") for at in range(len(head))]
    return [_line(head), _line(marks), *map(_line, rows)]


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"
