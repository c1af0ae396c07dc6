"""The stage table of a plan: stages that differ in a number, a network or a variant share a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddspec.console.durations import hours_span, time_span, time_words
from ddspec.console.overview import Overview
from ddspec.console.plan_sections import AFTER_LOCK
from ddspec.console.quantities import count, flops, flops_span, memory, size
from ddspec.plan.groups import total
from ddspec.plan.ir import Plan, Stage
from ddspec.plan.rows import Row, rows_of
from ddspec.plan.why import Reason, State
from ddspec.wire.work import PrepareWork

if TYPE_CHECKING:
    from ddspec.plan.forecast import Forecast

STATES: tuple[State, ...] = ("changed", "run", "in store", "not needed")
"""In the order of the table: what costs something first."""
SPARED = ("needs", "time each*", "work each")
"""Columns that a narrow table does without, in this order."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, a cell for each row, and what stands under it."""

    name: str
    cells: Sequence[str]
    words: bool = False
    """Aligned to the left."""
    sum: str = ""

    @property
    def width(self) -> int:
        """Characters of the longest of heading and cells."""
        return max(map(len, (self.name, *self.cells)))

    def padded(self, text: str) -> str:
        """Return a cell as wide as the column."""
        return f"{text:<{self.width}}" if self.words else f"{text:>{self.width}}"


def table(overview: Overview) -> Iterator[str]:
    """Yield the rows of the stage table, a heading first and sums last."""
    rows, shown = _fitting(overview)
    yield _line([column.padded(column.name) for column in shown])
    for at in range(len(rows)):
        yield _line([column.padded(column.cells[at]) for column in shown])
    yield from _sums(_count_words(overview), shown, _all(overview, rows), overview.width)
    yield from _footnote(overview)


def table_columns(overview: Overview) -> tuple[Column, ...]:
    """Return the whole table, however wide it is."""
    return tuple(_columns(overview, rows_of(overview.plan, overview.costs)))


def table_words(overview: Overview) -> tuple[str, ...]:
    """Return what stands under the table: counts, sums, and what times are based on."""
    rows = rows_of(overview.plan, overview.costs)
    notes = (line.removeprefix(" * ") for line in _footnote(overview))
    return (_count_words(overview), _all(overview, rows), *notes)


def _fitting(overview: Overview) -> tuple[Sequence[Row], list[Column]]:
    """Return rows and columns that fit the width, names of networks and what is needed given up."""
    rows = rows_of(overview.plan, overview.costs)
    shown = _columns(overview, rows)
    if _width(shown) <= overview.width:
        return rows, shown
    rows = rows_of(overview.plan, overview.costs, starred=True)
    shown = _columns(overview, rows)
    for name in SPARED:
        if _width(shown) > overview.width:
            shown = [column for column in shown if column.name != name]
    return rows, shown


def _width(shown: Sequence[Column]) -> int:
    return 1 + sum(column.width for column in shown) + 2 * (len(shown) - 1)


def counts(reasons: Mapping[str, Reason]) -> dict[str, int]:
    """Return how many stages have each state, `run` and `in store` even if there are none."""
    found = Counter(reason.state for reason in reasons.values())
    always = ("run", "in store")
    return {state: found[state] for state in STATES if found[state] or state in always}


def _columns(overview: Overview, rows: Sequence[Row]) -> list[Column]:
    memories = [row.memory_bytes for row in rows]
    plan, times = overview.plan, overview.forecast
    last = "key" if overview.why is None else "store"
    return [
        Column("stage", [row.label for row in rows], words=True),
        Column("n", [str(len(row.stages)) for row in rows]),
        Column("needs", [row.needs for row in rows], words=True),
        Column("work each", [_work(plan, row) for row in rows], words=True),
        Column("memory", [memory(n) for n in memories], sum=memory(max(memories))),
        *([] if times is None else _time_columns(times, rows)),
        Column(last, [_state(overview, row.stages) for row in rows], words=True),
    ]


def _time_columns(times: Forecast, rows: Sequence[Row]) -> list[Column]:
    labels = [[stage.label for stage in row.stages] for row in rows]
    each = [_each(times, one) for one in labels]
    totals = [time_span(times.total(frozenset(one))) for one in labels]
    return [Column("time each*", each), Column("total*", totals)]


def _each(times: Forecast, labels: Sequence[str]) -> str:
    spans = [span for label in labels if (span := times.stages[label]) is not None]
    if len(spans) < len(labels):
        return "?"
    return time_words(min(span.low_s for span in spans), max(span.high_s for span in spans))


def _line(cells: Sequence[str]) -> str:
    return f" {'  '.join(cells)}".rstrip()


def _sums(words: str, shown: Sequence[Column], rest: str, width: int) -> Iterator[str]:
    """Yield the sums: words over the first columns, then what is under its own column.

    The rest has a line of its own where there is no room for it.
    """
    until = next((at for at, column in enumerate(shown) if column.sum), len(shown))
    room = sum(column.width for column in shown[:until]) + 2 * (until - 1)
    under = [column.padded(column.sum) for column in shown[until : until + 1]]
    line = _line([f"{words:<{room}}", *under])
    if len(line) + 2 + len(rest) <= width:
        yield f"{line}  {rest}"
    else:
        yield from (line, f"{rest:>{len(line)}}")


def _count_words(overview: Overview) -> str:
    stages = len(overview.plan.stages)
    words = f"{stages} stage{'' if stages == 1 else 's'}"
    if overview.why is None or not overview.plan.locked:
        return words
    states = counts(overview.reasons).items()
    return f"{words}: {', '.join(f'{n} {state}' for state, n in states)}"


def _all(overview: Overview, rows: Sequence[Row]) -> str:
    costs = [cost for row in rows for cost in row.costs]
    written = size(total(cost.output_bytes for cost in costs))
    if overview.forecast is None:
        return f"{flops(total(cost.flops for cost in costs))}, {written}"
    hours = hours_span(overview.forecast.total()).removesuffix(" h")
    unit = "core-h" if overview.forecast.device.name == "cpu" else "GPU-h"
    return f"{hours} {unit}, {written}"


def _footnote(overview: Overview) -> Iterator[str]:
    times = overview.forecast
    if times is None:
        return
    runs = f"{times.measured} measured run{'' if times.measured == 1 else 's'} here"
    basis = "formula, " if not times.measured else "formula narrowed by "
    parts = [f"{times.device.name}: {basis}{runs}"]
    left = overview.left
    if left and len(left) < len(overview.plan.stages):
        parts.append(f"what is left takes {time_span(times.total(left))}")
    if overview.gpus > 1:
        elapsed = times.elapsed(overview.gpus, left)
        parts.append(f"on {overview.gpus} of them {time_span(elapsed)}")
    yield f" * {' · '.join(parts)}"


def _work(plan: Plan, row: Row) -> str:
    work = row.stages[0].work
    if isinstance(work, PrepareWork):
        splits = {"train": plan.data.train, "validation": plan.data.validation}
        works = [stage.work for stage in row.stages]
        names = [one.split for one in works if isinstance(one, PrepareWork)]
        return f"decode {count(total(splits.get(name, plan.data.test) for name in names))}"
    if row.flops is None:
        return "?"
    return size(row.largest_output) if row.flops == (0, 0) else flops_span(*row.flops)


def _state(overview: Overview, stages: Sequence[Stage]) -> str:
    keys = [stage.key for stage in stages if stage.key is not None]
    if not keys:
        return AFTER_LOCK
    if overview.why is None:
        return keys[0][:8] + ("…" if len(keys) > 1 else "")
    found = Counter(overview.reasons[stage.label].state for stage in stages)
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{found[state]} {state}" for state in STATES if found[state])
