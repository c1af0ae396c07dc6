"""What two plans take, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ddspec.console.markdown_text import Markdown, escaped
from ddspec.console.quantities import flops, memory, size
from ddspec.console.review import Cost, Costs

TO, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
NONE = TO
LEAST_HOURS = 0.01
"""Less is told as less than that."""
SAME = Markdown("=")
"""A cell of what did not change."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """One line of the table."""

    name: Markdown
    before: str
    after: str
    change: str


def cost_rows(costs: Costs, base: Markdown) -> tuple[CostRow, ...]:
    """Return the lines of the table; none where there is nothing to compare."""
    if costs.after is None and costs.before is None:
        return ()
    return tuple(_rows(costs, base))


def _rows(costs: Costs, base: Markdown) -> Iterator[CostRow]:
    both = (costs.before, costs.after)
    timed = any(one is not None and one.gpu_seconds is not None for one in both)
    what = f"GPU-hours{{}} ({costs.device})" if timed and costs.device else "work{}"
    before, after = (_work(one, timed=timed) for one in both)
    change = _change(costs, timed=timed)
    yield CostRow(escaped(what.format(" from scratch")), before, after, change)
    if costs.new is not None and costs.before is not None:
        name = Markdown(f"{'GPU-hours' if timed else 'work'} if {base} has run")
        yield CostRow(name, NONE, _work(costs.new, timed=timed), "")
    held, kept = (_sizes(one) for one in both)
    yield CostRow(escaped("peak GPU memory / disk"), held, kept, SAME if held == kept else "")


def _work(cost: Cost | None, *, timed: bool) -> str:
    if cost is None:
        return NONE
    return hours(cost.gpu_seconds) if timed else flops(cost.flops)


def _sizes(cost: Cost | None) -> str:
    if cost is None:
        return NONE
    held = "?" if cost.memory_bytes is None else memory(cost.memory_bytes)
    return f"{held} / {size(cost.disk_bytes)}"


def hours(seconds: tuple[float, float] | None) -> str:
    """Return a range of hours, such as 79 to 197; `?` where it is not known.

    >>> hours((3600.0, 3600.0))
    '1.0'
    """
    if seconds is None:
        return "?"
    if max(seconds) < LEAST_HOURS * 3600:
        return f"<{LEAST_HOURS}"
    low, high = (_hours(one / 3600) for one in seconds)
    return low if low == high else f"{low}{TO}{high}"


def _hours(number: float) -> str:
    if number >= 9.95:
        return f"{number:,.0f}"
    if number >= 0.95:
        return f"{number:.1f}"
    return f"{number:.2g}" if number >= LEAST_HOURS else "0"


def _change(costs: Costs, *, timed: bool) -> str:
    before, after = (_middle(one, timed=timed) for one in (costs.before, costs.after))
    if not before or after is None:
        return ""
    share = 100 * (after / before - 1)
    return SAME if round(share) == 0 else f"{share:+,.0f} %".replace("-", MINUS)


def _middle(cost: Cost | None, *, timed: bool) -> float | None:
    if cost is None:
        return None
    if not timed:
        return cost.flops
    return None if cost.gpu_seconds is None else math.prod(map(math.sqrt, cost.gpu_seconds))
