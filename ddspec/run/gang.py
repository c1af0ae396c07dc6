"""Which stages share a process. Pure.

Starting one costs seconds (importing the numerical stack), so stages of one kind that are ready
together go into as few jobs as may run at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from ddspec.canon import Digest
from ddspec.plan.ir import Stage

CHEAP = frozenset({"prepare", "select", "merge", "round", "import"})
"""Kinds of work that take less time than starting a second process."""


def gangs(
    ready: Sequence[Stage], *, jobs: int, heights: Mapping[Digest, int]
) -> tuple[tuple[Stage, ...], ...]:
    """Return the jobs to make of the ready stages, the most urgent first.

    Stages of one kind and number of threads are dealt evenly to at most `jobs` jobs; those with
    the longest chain of stages behind them come first.
    """
    ranked = sorted(ready, key=lambda stage: (_team(stage), -_height(stage, heights)))
    made = [gang for _, team in groupby(ranked, key=_team) for gang in _dealt(tuple(team), jobs)]
    return tuple(sorted(made, key=lambda gang: -max(_height(stage, heights) for stage in gang)))


def _team(stage: Stage) -> tuple[str, int]:
    return stage.work.kind, stage.threads


def _height(stage: Stage, heights: Mapping[Digest, int]) -> int:
    return heights[stage.key or ""]


def _dealt(team: tuple[Stage, ...], jobs: int) -> tuple[tuple[Stage, ...], ...]:
    """Cut a team into runs of neighbours whose sizes differ by at most one, larger ones first."""
    count = 1 if team[0].work.kind in CHEAP else min(jobs, len(team))
    size, rest = divmod(len(team), count)
    ends = [size * (i + 1) + min(i + 1, rest) for i in range(count)]
    return tuple(team[start:end] for start, end in zip([0, *ends], ends, strict=False))
