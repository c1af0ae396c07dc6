"""Tables of many results as CSV: one row a cell, in full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from ddspec.run.tables import Block, Cell, Row
from ddspec.visible import visible

FIELDS = (
    "dataset", "test_set", "network", "protocol", "protocol_digest", "on", "which", "row", "set",
    "labels", "images_per_class", "accuracy_mean", "accuracy_std", "std_over", "sets",
    "sets_planned", "networks", "networks_planned", "of_full", "against", "ahead", "other_labels",
    "low", "high", "p_adjusted", "verdict",
    "hours", "hours_of", "device", "flops", "speed_up", "accuracies", "of",
)  # fmt: skip
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "|", "%")
"""What a spreadsheet takes for the beginning of a formula."""


def csv_tables(blocks: Sequence[Block]) -> str:
    """Return a header and one line a cell, accuracies as fractions; no text is a formula.

    Text that a spreadsheet would compute begins with an apostrophe. Accuracies of one set are
    separated by spaces, sets by semicolons.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for block in blocks:
        for row in block.rows:
            for column in block.columns:
                if column in row.cells:
                    writer.writerow(_values(block, row, column, row.cells[column]))
    return text.getvalue()


def safe(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, on one line."""
    plain = visible(text)
    return f"'{plain}" if plain.lstrip().startswith(FORMULAS) else plain


def _values(block: Block, row: Row, column: int | None, cell: Cell) -> Iterator[str]:
    place = block.place
    words: tuple[str | None, ...] = (
        place.dataset, place.test_set, place.network, place.protocol, place.protocol_digest,
        place.on, place.which, row.name, row.set, row.labels,
    )  # fmt: skip
    yield from (safe(word or "") for word in words)
    yield _number(column)
    yield _number(cell.mean)
    yield _number(cell.std)
    yield "" if cell.std is None else cell.std_over
    yield from map(_number, (len(cell.levels), cell.sets, cell.networks, cell.planned))
    yield _number(cell.of_full)
    yield safe(block.against)
    yield _number(cell.ahead)
    yield "" if cell.ahead is None else str(cell.unlike).lower()
    told = cell.told
    yield from map(_number, (None,) * 3 if told is None else (told.low, told.high, told.p_adjusted))
    yield "" if told is None else told.verdict
    yield _number(cell.cost.hours)
    yield "" if cell.cost.hours is None else cell.cost.unit
    yield safe(cell.cost.device)
    yield _number(cell.cost.flops)
    yield _number(cell.speed_up)
    yield "; ".join(" ".join(map(repr, one)) for one in cell.levels)
    yield safe("; ".join(cell.of))


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
