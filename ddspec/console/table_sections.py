"""Tables as rows of words, the same for every format: accuracies first, then what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ddspec.run.inference import CONFIDENCE
from ddspec.run.tables import Block, Cell, Row
from ddspec.spec.baselines import DRAWN

UNLIKE = "†"
UNTOLD = "~"
NONE = "-"
ACCURACY = "accuracy, %"


@dataclass(frozen=True, slots=True)
class Words:
    """A number as it is printed."""

    number: str
    spread: str = ""
    """Its deviation, without a sign."""
    counts: str = ""
    """Sets and networks behind it."""
    mark: str = ""
    interval: tuple[str, str] | None = None
    """Between what it lies."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a section; None where there is nothing."""

    name: str
    cells: tuple[Words | None, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of numbers for the rows of a block."""

    heading: str
    lines: tuple[Line, ...]


def sections(block: Block) -> tuple[Section, ...]:
    """Return a block's accuracies, then what is known of them beside other rows, and hours."""
    found = [
        Section(ACCURACY, tuple(_lines(block, _accuracy, every=True))),
        Section("% of full data", tuple(_lines(block, _of_full))),
        Section(f"points above {block.against}", tuple(_lines(block, _ahead))),
        Section(_unit(block), tuple(_lines(block, _hours))),
        Section(f"times faster than {block.against}", tuple(_lines(block, _speed_up))),
    ]
    return tuple(section for section in found if section.lines)


def notes(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Return what a reader must know of the numbers of some tables."""
    found = dict.fromkeys(note for block in blocks for note in _notes(block))
    return (*found, *_not_compared(blocks))


def _not_compared(blocks: Sequence[Block]) -> Iterator[str]:
    """Yield which tables have not the row that others are compared with."""
    wanted = sorted({block.against for block in blocks if block.against})
    without = [block.title for block in blocks if not block.against]
    if wanted and without:
        yield f"no {' or '.join(wanted)} to compare with: {'; '.join(without)}"


def ran_on(block: Block) -> tuple[str, ...]:
    """Return on what each row ran, where rows differ in it: such hours do not compare."""
    ran = {cell.cost.device for cell in _timed(block)}
    return tuple(_devices(block)) if len(ran) > 1 else ()


def column_name(column: int | None) -> str:
    """Return the heading of a column; a file of results may not tell its budget."""
    return "?" if column is None else f"{column:,}"


def row_name(row: Row, block: Block) -> str:
    """Return what a row is called, with its labels where those of some rows are not hard."""
    return f"{row.name}, {row.labels} labels" if block.labelled else row.name


def _lines(
    block: Block, words: Callable[[Cell], Words | None], *, every: bool = False
) -> Iterator[Line]:
    for row in block.rows:
        cells = tuple(words(row.cells[at]) if at in row.cells else None for at in block.columns)
        if every or any(cells):
            yield Line(row_name(row, block), cells)


def _accuracy(cell: Cell) -> Words | None:
    if cell.mean is None:
        return None
    spread = "" if cell.std is None else f"{100 * cell.std:.1f}"
    return Words(f"{100 * cell.mean:.1f}", spread, cell.counts)


def _of_full(cell: Cell) -> Words | None:
    return None if cell.of_full is None else Words(f"{100 * cell.of_full:.0f}")


def _ahead(cell: Cell) -> Words | None:
    if cell.ahead is None:
        return None
    number = f"{100 * cell.ahead:+.1f}"
    if cell.unlike or cell.told is None:
        return Words(number, mark=UNLIKE if cell.unlike else "")
    low, high = cell.told.low, cell.told.high
    known = None if low is None or high is None else (f"{100 * low:+.1f}", f"{100 * high:+.1f}")
    return Words(number, mark=UNTOLD if cell.told.verdict == "cannot tell" else "", interval=known)


def _hours(cell: Cell) -> Words | None:
    return None if cell.cost.hours is None or not cell.levels else Words(f"{cell.cost.hours:.3g}")


def _speed_up(cell: Cell) -> Words | None:
    return None if cell.speed_up is None else Words(f"{cell.speed_up:.2g}")


def _timed(block: Block) -> list[Cell]:
    return [cell for cell in block.cells() if _hours(cell) is not None]


def _unit(block: Block) -> str:
    units = {cell.cost.unit for cell in _timed(block)}
    return units.pop() if len(units) == 1 else "hours"


def _notes(block: Block) -> Iterator[str]:
    over = {cell.std_over for cell in block.cells() if cell.std is not None}
    if "sets" in over:
        yield "± is over sets where there are several (3 x 5: sets x networks), else over networks"
    elif over:
        yield "± is over networks, whose number stands in brackets; of each method there is one set"
    if any(row.set in DRAWN and row.cells for row in block.rows):
        yield "random images are drawn anew for each network"
    yield from _told_notes(block)
    if any(cell.unlike for cell in block.cells()):
        yield f"{UNLIKE} networks learn from labels of another kind there: these do not compare"
    if block.labelled and any(cell.of_full is not None for cell in block.cells()):
        kinds = {row.labels for row in block.rows if row.set == "full"}
        yield f"full data have {' and '.join(sorted(kinds))} labels"
    if _timed(block):
        ran = {name for cell in _timed(block) for name in cell.cost.device.split(", ")}
        where = " and ".join(sorted(ran))
        yield f"hours on {where}: pool, distillation and labels; shared pools count in full"


def _told_notes(block: Block) -> Iterator[str]:
    told = [cell.told for cell in block.cells() if cell.told is not None]
    if any(one.low is not None for one in told):
        yield (
            f"[a, b] is the {100 * CONFIDENCE:.0f} % interval of a difference, of methods where "
            "both have several sets (hierarchical), else of these sets alone (Welch)"
        )
    if any(one.verdict == "cannot tell" for one in told):
        over = block.corrected_over
        yield (
            f"{UNTOLD} may be chance: not told from 0 after Holm's correction over {over} "
            f"test{'' if over == 1 else 's'}"
        )


def _devices(block: Block) -> Iterator[str]:
    for row in block.rows:
        ran = {cell.cost.device for cell in row.cells.values() if _hours(cell) is not None}
        if ran:
            yield f"{row.name} ran on {' and '.join(sorted(ran))}"
