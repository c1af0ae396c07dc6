"""Tables of many results as LaTeX with booktabs, for pasting into a paper."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ddspec.console.table_sections import (
    ACCURACY,
    NONE,
    UNLIKE,
    UNTOLD,
    Line,
    Section,
    Words,
    column_name,
    notes,
    ran_on,
    sections,
)
from ddspec.console.tables_view import HEAD
from ddspec.run.tables import Block
from ddspec.visible import visible

PREAMBLE = r"% needs \usepackage{booktabs}"
_MARKS = {UNLIKE: r"$^\dagger$", UNTOLD: r"$^\sim$"}
_HYPHENS = re.compile("-(?=-)")
"""Which LaTeX would join to a dash."""
_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"$\sim$", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\char34{}", "`": r"\char96{}", "'": r"\char39{}",
    "·": r"$\cdot$", "±": r"$\pm$", "†": r"$\dagger$", "…": r"\dots{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
    **{char: f"{{{char}}}" for char in "[]*"},
}  # fmt: skip
"""What LaTeX would read as anything but itself; a bracket or star that begins a row would belong to
the end of the row before."""


def latex_tables(blocks: Sequence[Block]) -> str:
    r"""Return a `table` for each block; needs `booktabs` alone, and compiles under pdflatex."""
    texts = ["\n".join(_block(block)) for block in blocks]
    return "\n\n".join([PREAMBLE, *texts])


def tex(text: str) -> str:
    """Return text that LaTeX prints as itself; what is not ASCII is named by its code point.

    pdflatex stops at characters of which its fonts have none, and which it has is not known here.
    """
    whole = "".join(_tex(char) for char in visible(text))
    return _HYPHENS.sub("-{}", whole)


def _tex(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if char.isascii() or char in _LATIN:
        return char
    return tex(f"[U+{ord(char):04X}]")


_LATIN = frozenset(map(chr, (*range(0xC0, 0xD7), *range(0xD8, 0xF7), *range(0xF8, 0x100))))
"""Letters that every LaTeX has in UTF-8."""


def _block(block: Block) -> Iterator[str]:
    count = len(block.columns)
    yield r"\begin{table}"
    yield r"  \centering"
    told = [f"{_sentence(note)}." for note in (*notes([block]), *ran_on(block))]
    yield f"  \\caption{{{' '.join([f'{tex(block.title)}.', *told])}}}"
    yield f"  \\begin{{tabular}}{{l{'r' * count}}}"
    yield r"    \toprule"
    heads = [HEAD, *(column_name(column) for column in block.columns)]
    yield f"    {_cells(map(tex, heads))}"
    for section in sections(block):
        yield from _section(section, count)
    yield r"    \bottomrule"
    yield r"  \end{tabular}"
    yield r"\end{table}"


def _section(section: Section, count: int) -> Iterator[str]:
    yield r"    \midrule"
    if section.heading != ACCURACY:
        heading = tex(section.heading)
        yield f"    \\multicolumn{{{count + 1}}}{{l}}{{\\emph{{{heading}}}}} \\\\"
    for line in section.lines:
        yield f"    {_cells(_line(line))}"


def _line(line: Line) -> Iterator[str]:
    yield tex(line.name)
    yield from map(_number, line.cells)


def _number(cell: Words | None) -> str:
    if cell is None:
        return NONE * 2
    number = f"${cell.number}" + (f" \\pm {cell.spread}" if cell.spread else "") + "$"
    counts = tex(cell.counts).replace(" x ", r" $\times$ ")
    interval = "" if cell.interval is None else " [${}$, ${}$]".format(*cell.interval)
    return number + (f" ({counts})" if counts else "") + interval + _MARKS.get(cell.mark, "")


def _cells(cells: Iterator[str] | map[str]) -> str:
    return " & ".join(cells) + r" \\"


def _sentence(note: str) -> str:
    return tex(note[:1].upper() + note[1:])
