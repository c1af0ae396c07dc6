"""Differences in tables with intervals and verdicts, corrected over all tables together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from ddspec.run.inference import Inference, Inferences, infer
from ddspec.run.pairs import Pair
from ddspec.run.scores import Score
from ddspec.run.tables import Block, Cell, Place

Infer: TypeAlias = Callable[[Sequence[Pair]], Inferences]


def told(blocks: Sequence[Block], infer: Infer = infer) -> tuple[Block, ...]:
    """Return tables in which differences say whether they are more than chance.

    What was learned from labels of another kind is left as it is. Raises `DdspecError` (exit 6)
    where statistics are not installed.
    """
    cells = [(block.place, cell) for block in blocks for cell in block.cells() if _compares(cell)]
    answer = infer([_pair(place, cell) for place, cell in cells])
    found = {id(cell): one for (_, cell), one in zip(cells, answer.found, strict=True)}
    return tuple(
        replace(_with(block, found), corrected_over=answer.corrected_over) for block in blocks
    )


def _compares(cell: Cell) -> bool:
    return cell.base is not None and bool(cell.levels and cell.base.levels) and not cell.unlike


def _with(block: Block, found: Mapping[int, Inference | None]) -> Block:
    rows = [
        replace(
            row,
            cells={at: replace(cell, told=found.get(id(cell))) for at, cell in row.cells.items()},
        )
        for row in block.rows
    ]
    return replace(block, rows=tuple(rows))


def _pair(place: Place, cell: Cell) -> Pair:
    assert cell.base is not None  # it is asked for what compares alone
    return Pair("", tuple(_scores(place, cell.base)), tuple(_scores(place, cell)))


def _scores(place: Place, cell: Cell) -> Iterator[Score]:
    """Yield a score a set; which of the evaluations are whose does not matter to a pair."""
    keys = tuple(sorted(cell.keys))
    for at, level in enumerate(cell.levels):
        yield Score(
            "", place.network, place.protocol, place.on, level, len(level), () if at else keys
        )
