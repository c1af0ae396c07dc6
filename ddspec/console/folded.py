"""Tables that are folded away in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ddspec.console.budget import Fold
from ddspec.console.templating import piece

TEMPLATE = "review.md.j2"


def folded(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], count: int
) -> Fold:
    """Return a table that is folded away; `count` is of all rows, also those not given."""
    row = piece(TEMPLATE, "fold_row")
    opening = piece(TEMPLATE, "fold_open")(f"{title} ({count:,})")
    return Fold(
        opening + piece(TEMPLATE, "fold_head")(columns),
        map(row, rows),
        piece(TEMPLATE, "fold_close")(),
        more=f"| … {{:,}} more |{' |' * (len(columns) - 1)}\n",
        count=count,
    )
