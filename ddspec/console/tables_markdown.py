"""Tables of many results as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddspec.console.markdown_text import escaped
from ddspec.console.table_sections import (
    ACCURACY,
    Section,
    column_name,
    notes,
    ran_on,
    sections,
)
from ddspec.console.tables_view import HEAD, cell_text
from ddspec.run.tables import Block


def markdown_tables(blocks: Sequence[Block]) -> str:
    """Return each table under its title, and what a reader must know below all of them."""
    texts = ["\n".join(_block(block)) for block in blocks]
    below = "\n".join(f"- {escaped(note)}" for note in notes(blocks))
    return "\n\n".join(filter(None, [*texts, below]))


def _block(block: Block) -> Iterator[str]:
    yield f"**{escaped(block.title)}**"
    for section in sections(block):
        yield ""
        yield from _section(section, block)
    if devices := ran_on(block):
        yield ""
        yield from (f"- {escaped(note)}" for note in devices)


def _section(section: Section, block: Block) -> Iterator[str]:
    first = f"{section.heading}; {HEAD}" if section.heading == ACCURACY else section.heading
    yield _row([escaped(first), *(escaped(column_name(column)) for column in block.columns)])
    yield _row(["---", *("--:" for _ in block.columns)])
    for line in section.lines:
        yield _row([escaped(line.name), *(escaped(cell_text(cell)) for cell in line.cells)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
