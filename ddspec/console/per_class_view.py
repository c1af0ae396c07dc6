"""Accuracies by class as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from ddspec.console.columns import columns
from ddspec.run.per_class import ClassRow, ClassTable
from ddspec.visible import visible


def render_classes(title: str, tables: Sequence[ClassTable]) -> str:
    """Return a table of each evaluation: accuracies in percent with their standard deviation."""
    if not tables:
        return f"{visible(title)}\n\n no evaluation is in the store"
    return "\n\n".join([visible(title), *map(_block, tables)])


def _block(table: ClassTable) -> str:
    repeats = max((len(row.accuracies) for row in table.rows), default=0)
    networks = "1 network" if repeats == 1 else f"{repeats} networks"
    about = f" {table.set}: {table.network} by protocol {table.protocol}, on the {table.on} split"
    head = ("class", "most often taken for", "accuracy", "std")
    aligned = columns([head, *map(_row, table.rows)], left=2)
    return "\n".join([f"{visible(about)}; {networks}", *aligned])


def _row(row: ClassRow) -> tuple[str, str, str, str]:
    mean = "-" if row.mean is None else f"{100 * row.mean:.1f} %"
    std = "-" if row.std is None else f"± {100 * row.std:.1f}"
    taken = f"{visible(row.taken_for)} {100 * row.share:.1f} %" if row.taken_for else "-"
    return visible(row.name), taken, mean, std
