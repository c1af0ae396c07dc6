"""Stages as rows of a table: those that differ in a number, a network or a variant share one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddspec.plan.estimate import Cost
from ddspec.plan.groups import largest, total
from ddspec.plan.ir import Plan, Stage, own_label
from ddspec.plan.labels import pattern
from ddspec.wire.work import EvaluateWork

MOST_ROWS = 20
"""Above it the variants of a matrix share rows."""


@dataclass(frozen=True, slots=True)
class Row:
    """Stages of one kind, and what they cost."""

    label: str
    stages: tuple[Stage, ...]
    costs: tuple[Cost, ...]

    @property
    def needs(self) -> str:
        """Which stages it waits for; the data are named only where there is nothing else."""
        labels = [own_label(label) for label in self.stages[0].upstream.values()]
        heads = dict.fromkeys(label.partition("/")[0] for label in reversed(labels))
        made = [head for head in heads if head != "prepare"]
        return ", ".join(made) or ("prepare" if labels else "data")

    @property
    def flops(self) -> tuple[int, int] | None:
        """Operations of the smallest and of the largest of them; None where one is not known."""
        counts = [cost.flops for cost in self.costs]
        known = [count for count in counts if count is not None]
        return (min(known), max(known)) if len(known) == len(counts) else None

    @property
    def memory_bytes(self) -> int:
        """Memory of the largest of them."""
        return max(cost.memory_bytes for cost in self.costs)

    @property
    def output_bytes(self) -> int | None:
        """What all of them write; None where it is not known."""
        return total(cost.output_bytes for cost in self.costs)

    @property
    def largest_output(self) -> int | None:
        """What the largest of them writes."""
        return largest(cost.output_bytes for cost in self.costs)


def rows_of(plan: Plan, costs: Mapping[str, Cost], *, starred: bool = False) -> tuple[Row, ...]:
    """Return the stages of a plan in rows, in the order of their first stages.

    `costs` says what each stage takes, by label; `starred` leaves out the names of networks.
    """
    found = _gathered(plan, by_variant=True)
    if len(found) > MOST_ROWS:
        found = _gathered(plan, by_variant=False)
    return tuple(
        Row(
            _label(stages, starred=starred),
            tuple(stages),
            tuple(costs[stage.label] for stage in stages),
        )
        for stages in found
    )


def told(labels: Iterable[str], most: int = 3) -> str:
    """Return labels in few words, those of one kind as one: `distill@*, evaluate/*/0..2`."""
    kinds: dict[str, list[str]] = {}
    for label in labels:
        kinds.setdefault(pattern(own_label(label)), []).append(label)
    names = [common_label(alike) for alike in kinds.values()]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _label(stages: Sequence[Stage], *, starred: bool) -> str:
    label = common_label([stage.label for stage in stages])
    if not starred or not isinstance(stages[0].work, EvaluateWork):
        return label
    own, at, variant = label.partition("@")
    *before, _, number = own.split("/")
    return "/".join([*before, "*", number]) + at + variant


def common_label(labels: Iterable[str]) -> str:
    """Return one label for several: what differs becomes a range of numbers, or a star.

    >>> common_label(["evaluate/a/0", "evaluate/a/1", "evaluate/b/0"])
    'evaluate/*/0..1'
    >>> common_label(["distill@one", "distill@two"])
    'distill@*'
    """
    split = [label.partition("@") for label in labels]
    heads = [own.split("/") for own, _, _ in split]
    own = "/".join(_common(parts) for parts in zip(*heads, strict=False)).removesuffix("/*")
    variants = dict.fromkeys(name for _, at, name in split if at)
    return f"{own}@{_common(tuple(variants))}" if variants else own


def _common(parts: tuple[str, ...]) -> str:
    if len(set(parts)) == 1:
        return parts[0]
    if all(part.isdecimal() for part in parts):
        numbers = [int(part) for part in parts]
        return f"{min(numbers)}..{max(numbers)}"
    return "*"


def _gathered(plan: Plan, *, by_variant: bool) -> list[list[Stage]]:
    found: dict[tuple[str, ...], list[Stage]] = {}
    for stage in plan:
        found.setdefault(_address(stage, by_variant=by_variant), []).append(stage)
    return list(found.values())


def _address(stage: Stage, *, by_variant: bool) -> tuple[str, ...]:
    """Return what the stages of one row have in common."""
    own, _, variant = stage.label.partition("@")
    parts = own.split("/")
    if isinstance(stage.work, EvaluateWork):
        parts[-2] = "*"  # networks share a row: evaluate/NET/0, evaluate/random/NET/0
    elif parts[0] == "prepare":
        parts = parts[:1]
    named = variant if by_variant else "@" if variant else ""
    return (*("*" if part.isdecimal() else part for part in parts), named)
