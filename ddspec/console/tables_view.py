"""Tables of many results as plain text of at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from ddspec.console.table_sections import (
    ACCURACY,
    NONE,
    Line,
    Section,
    Words,
    column_name,
    notes,
    ran_on,
    sections,
)
from ddspec.run.tables import Block
from ddspec.visible import visible

WIDTH = 100
NAME_WIDTH = 46
"""A longer name has a line of its own."""
GAP = 3
LEAST = 5
INDENT_OF_ROWS = 2
HEAD = "images per class"


def render_tables(blocks: Sequence[Block]) -> str:
    """Return all tables: accuracies in percent, with deviations and counts of networks."""
    texts = ["\n".join(_block(block)) for block in blocks]
    below = [visible(line) for note in notes(blocks) for line in _fitted(note, "  ")]
    return "\n\n".join(filter(None, [*texts, "\n".join(below)]))


def _block(block: Block) -> Iterator[str]:
    yield from (visible(line) for line in _fitted(block.title, "  "))
    found = sections(block)
    widths = [_width(found, at) for at in range(len(block.columns))]
    name_width = _name_width(found)
    for columns in _fitting(widths, WIDTH - name_width - 1):
        heads = [Words(column_name(block.columns[at])) for at in columns]
        yield from _line(Line(HEAD, tuple(heads)), [widths[at] for at in columns], name_width)
        for section in found:
            yield from _section(section, columns, widths, name_width)
    for note in ran_on(block):
        yield from (visible(line) for line in _fitted(note, "  "))


def _fitted(text: str, indent: str) -> list[str]:
    return fill(
        text, WIDTH, initial_indent=" ", subsequent_indent=f" {indent}", break_on_hyphens=False
    ).split("\n")


def _name_width(found: Sequence[Section]) -> int:
    names = [f"{line.name}{'':{INDENT_OF_ROWS}}" for section in found for line in section.lines]
    return min(max(map(len, [HEAD, *names])), NAME_WIDTH)


def _width(found: Sequence[Section], at: int) -> int:
    cells = (line.cells[at] for section in found for line in section.lines)
    return GAP + max(LEAST, *(len(cell_text(cell)) for cell in cells))


def _fitting(widths: Sequence[int], room: int) -> Iterator[range]:
    """Yield runs of columns that fit beside each other, at least one each."""
    start, used = 0, 0
    for at, width in enumerate(widths):
        if at > start and used + width > room:
            yield range(start, at)
            start, used = at, 0
        used += width
    yield range(start, len(widths))


def _section(
    section: Section, columns: range, widths: Sequence[int], name_width: int
) -> Iterator[str]:
    if section.heading != ACCURACY:
        yield visible(f" {section.heading}"[:WIDTH])
    for line in section.lines:
        own = Line(f"{'':{INDENT_OF_ROWS}}{line.name}", tuple(line.cells[at] for at in columns))
        yield from _line(own, [widths[at] for at in columns], name_width)


def _line(line: Line, widths: Sequence[int], name_width: int) -> Iterator[str]:
    """Yield a row; a name that is too long stands above its numbers."""
    name = visible(line.name)
    if len(name) > name_width:
        yield f" {name}"[:WIDTH]
        name = ""
    cells = (f"{cell_text(cell):>{width}}" for cell, width in zip(line.cells, widths, strict=True))
    yield f" {name:<{name_width}}{''.join(cells)}".rstrip()


def cell_text(cell: Words | None) -> str:
    """Return a cell in one line: `92.2 ± 0.5 (5)`."""
    if cell is None:
        return NONE
    spread = f" ± {cell.spread}" if cell.spread else ""
    counts = f" ({cell.counts})" if cell.counts else ""
    interval = "" if cell.interval is None else f" [{cell.interval[0]}, {cell.interval[1]}]"
    return f"{cell.number}{spread}{counts}{interval}{cell.mark}"
