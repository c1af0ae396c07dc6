"""Stages in groups: those that differ in a number only are one row for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ddspec.plan.estimate import Cost, stage_costs
from ddspec.plan.ir import Plan, Stage, own_label
from ddspec.plan.labels import pattern, range_label


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive stages under one label with a range, and what they cost."""

    stages: tuple[Stage, ...]
    costs: tuple[Cost, ...]

    @property
    def label(self) -> str:
        """The common label, `pool/0..4`."""
        labels = list(dict.fromkeys(own_label(stage.label) for stage in self.stages))
        variants = dict.fromkeys(stage.label.partition("@")[2] for stage in self.stages)
        name = next(iter(variants)) if len(variants) == 1 else "*"
        return range_label(labels) + (f"@{name}" if name else "")

    @property
    def needs(self) -> str:
        """Which stages it waits for; the data are named only where there is nothing else."""
        heads = [label.split("/")[0] for label in self.stages[0].upstream.values()]
        made = [head for head in dict.fromkeys(reversed(heads)) if head != "prepare"]
        return ", ".join(made) or ("prepare" if heads else "data")

    @property
    def flops_each(self) -> int | None:
        """Operations of the largest of them."""
        return largest(cost.flops for cost in self.costs)

    @property
    def memory_bytes(self) -> int:
        """Memory of the largest of them."""
        return max(cost.memory_bytes for cost in self.costs)


def groups(plan: Plan) -> tuple[Group, ...]:
    """Return the stages of a plan grouped by label, in their order; variants share a group."""
    costs = stage_costs(plan)
    alike: dict[str, list[Stage]] = {}
    for stage in plan:
        alike.setdefault(pattern(own_label(stage.label)), []).append(stage)
    return tuple(
        Group(tuple(members), tuple(costs[stage.label] for stage in members))
        for members in alike.values()
    )


def total(values: Iterable[int | None]) -> int | None:
    """Return a sum, None where a part of it is not known."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def largest(values: Iterable[int | None]) -> int | None:
    """Return the largest, None where one is not known."""
    known = list(values)
    return None if None in known else max(value for value in known if value is not None)
