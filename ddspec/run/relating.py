"""Numbers of a table beside full data and beside a chosen row. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from ddspec.errors import DdspecError, Exit
from ddspec.run.scores import SETS
from ddspec.run.tables import FULL, Block, Cell, Row
from ddspec.visible import visible


def related(blocks: Sequence[Block], baseline: str = "") -> tuple[Block, ...]:
    """Return tables with every number beside full data, and beside a row if one is named.

    `baseline` is a set such as `random` or `full`, the name of a row in any case, or a spec and
    variant as `composition/dm`. Raises `DdspecError` (usage) where no table has it.
    """
    if baseline and not any(_named(block, baseline) for block in blocks):
        known = [row.name for block in blocks for row in block.rows]
        raise DdspecError(
            f"no row is called `{visible(baseline[:80])}`", exit=Exit.USAGE,
            hint=_hint(baseline, known),
        )  # fmt: skip
    return tuple(_related(block, baseline) for block in blocks)


def _hint(baseline: str, known: Sequence[str]) -> str:
    names = list(dict.fromkeys(known))
    near = get_close_matches(baseline, names, n=1)
    if near:
        return f"did you mean `{visible(near[0])}`?"
    shown = ", ".join(f"`{visible(name)}`" for name in names[:8])
    return f"there are {shown}" if shown else "there are no results yet"


def _named(block: Block, baseline: str) -> list[Row]:
    """Return the rows of a block that a name may mean: of a set there may be several."""
    wanted = baseline.casefold()
    of_set = [row for row in block.rows if row.set == wanted and row.set != SETS[0]]
    called = [row for row in block.rows if row.name.casefold() == wanted]
    return of_set or called or [row for row in block.rows if _is_of(row, wanted)]


def _is_of(row: Row, wanted: str) -> bool:
    names = {name.casefold() for cell in row.cells.values() for name in cell.of}
    return row.set == SETS[0] and wanted in names


def _related(block: Block, baseline: str) -> Block:
    full = [row for row in block.rows if row.set == FULL]
    others = _named(block, baseline) if baseline else []
    rows = []
    for row in block.rows:
        own_full, other = _whose(row, full), _whose(row, others)
        cells = {at: _beside(row, at, own_full, other) for at in row.cells}
        rows.append(replace(row, cells=cells))
    title = others[0].name if len(others) == 1 else baseline if others else ""
    return replace(block, rows=tuple(rows), against=title)


def _whose(row: Row, rows: Sequence[Row]) -> Row | None:
    """Return that of several rows of one set that was measured for a row; none if unclear."""
    own = [one for one in rows if one.methods & row.methods]
    chosen = own or list(rows)
    alike = [one for one in chosen if one.labels == row.labels] or chosen
    return alike[0] if len(alike) == 1 else None


def _beside(row: Row, at: int | None, full: Row | None, other: Row | None) -> Cell:
    cell = row.cells[at]
    whole = None if full is None or full.set == row.set else _at(full, at)
    base = None if other is None or other is row else _at(other, at)
    return replace(
        cell,
        of_full=_ratio(cell.mean, None if whole is None else whole.mean),
        ahead=_difference(cell.mean, None if base is None else base.mean),
        speed_up=None if base is None or other is None else _speed_up(cell, base),
        base=base,
        unlike=other is not None and base is not None and other.labels != row.labels,
    )


def _at(row: Row, at: int | None) -> Cell | None:
    """Return a row's cell of a budget; full data that are the same under all serve for all."""
    found = row.cells.get(at)
    if found is None and row.set == FULL and len(set(_keys(row))) == 1:
        return next(iter(row.cells.values()))
    return found


def _keys(row: Row) -> Iterator[frozenset[str]]:
    return (cell.keys for cell in row.cells.values())


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _difference(one: float | None, other: float | None) -> float | None:
    return one - other if one is not None and other is not None else None


def _speed_up(cell: Cell, base: Cell) -> float | None:
    """Return how many times faster; nothing of other devices, whose times do not compare."""
    if not cell.cost.device or cell.cost.device != base.cost.device:
        return None
    return _ratio(base.cost.seconds, cell.cost.seconds)
