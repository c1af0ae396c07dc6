"""Stages as rows: stages that differ in a number only share one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ddspec.canon import Digest
from ddspec.console.quantities import count, flops, memory, size
from ddspec.plan.groups import Group, groups, total
from ddspec.plan.ir import Plan, Stage
from ddspec.wire.work import PrepareWork

AFTER_LOCK = "after lock"


def table(plan: Plan, in_store: Mapping[Digest, bool] | None) -> Iterator[str]:
    """Yield the rows of the stage table, a heading first and sums last."""
    rows = groups(plan)
    last = "key" if in_store is None else "store"
    cells = [
        ("stage", "n", "needs", "work each", "tensors", "writes", last),
        *(_cells(plan, group, in_store) for group in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        aligned = (
            f"{cell:<{width}}" if column in LEFT else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield f" {'  '.join(aligned)}".rstrip()
    yield _sums(plan, rows, in_store)


LEFT = (0, 2, 6)
"""Columns of words; those of numbers are aligned to the right."""


def _cells(
    plan: Plan, group: Group, in_store: Mapping[Digest, bool] | None
) -> tuple[str, str, str, str, str, str, str]:
    return (
        group.label,
        str(len(group.stages)),
        group.needs,
        _work(plan, group),
        memory(group.memory_bytes),
        size(total(cost.output_bytes for cost in group.costs)),
        _state(group.stages, in_store),
    )


def _work(plan: Plan, group: Group) -> str:
    work = group.stages[0].work
    if isinstance(work, PrepareWork):
        images = {"train": plan.data.train, "validation": plan.data.validation}
        return f"decode {count(images.get(work.split, plan.data.test))}"
    return flops(group.flops_each)


def _state(stages: Sequence[Stage], in_store: Mapping[Digest, bool] | None) -> str:
    keys = [stage.key for stage in stages if stage.key is not None]
    if not keys:
        return AFTER_LOCK
    if in_store is None:
        return keys[0][:8] + ("…" if len(keys) > 1 else "")
    there = sum(in_store.get(key, False) for key in keys)
    return "run" if not there else "in store" if there == len(keys) else f"{there} in store"


def _sums(plan: Plan, rows: Sequence[Group], in_store: Mapping[Digest, bool] | None) -> str:
    costs = [cost for group in rows for cost in group.costs]
    parts = [f"{len(costs)} stages"]
    if in_store is not None:
        there = sum(in_store.get(stage.key or "", False) for stage in plan)
        parts[0] += f": {len(costs) - there} not in store, {there} in store"
    parts += [
        flops(total(cost.flops for cost in costs)),
        f"tensors to {memory(max(cost.memory_bytes for cost in costs))}",
        f"{size(total(cost.output_bytes for cost in costs))} written",
    ]
    return " " + " · ".join(parts)
