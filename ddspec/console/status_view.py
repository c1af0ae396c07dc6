"""Who works on what, how far plans are, and what a store holds, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ddspec.console.columns import columns
from ddspec.console.durations import duration, time_span
from ddspec.console.layout import wrapped
from ddspec.console.logs_view import event_words, left_s
from ddspec.console.moments import moment
from ddspec.console.quantities import memory, size
from ddspec.plan.forecast import Span
from ddspec.plan.labels import folded
from ddspec.run.at_work import AtWork
from ddspec.run.plan_state import STATES, Failure, PlanState
from ddspec.store.footprint import Footprint
from ddspec.store.holds import Hold
from ddspec.visible import visible

WIDTH = 100
LABEL = 34
"""Columns of a label."""
FAR = 26
SILENT_S = 600.0
"""A stage that records nothing for so long is said to be silent."""
SHOWN = 8
"""Failures of a plan that are told one by one."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds."""

    home: str
    outputs: int
    size: Footprint
    free: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is shown at one moment."""

    now: float
    home: str
    works: Sequence[AtWork]
    holds: Sequence[Hold]
    plans: Sequence[tuple[PlanState, Span | None]]
    """With how long the rest takes, where that can be told."""
    held: Held | None
    """None where there is no store."""


def render_status(shot: Snapshot) -> str:
    """Return the page."""
    blocks = [list(_plan(*one)) for one in shot.plans]
    blocks.append(list(_works(shot)))
    if shot.held is not None:
        blocks.append(_store(shot.held))
    return "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks)


def _plan(state: PlanState, rest: Span | None) -> Iterator[str]:
    done, total = state.count("done"), state.total
    yield f"{visible(state.file)} · {done:,} of {total:,} stages done"
    if not state.locked:
        yield f" {'':<11}its data are not locked: `ddspec lock {visible(state.file)} --data DIR`"
        return
    shown = [one for one in STATES if one == "done" or state.count(one)]
    rows = [["stage", "n", *shown]]
    for kind in state.kinds:
        counts = [f"{kind.counts[one]:,}" if kind.counts[one] else "-" for one in shown]
        rows.append([kind.name, f"{kind.total:,}", *counts])
    yield from columns(rows, left=1)
    for failure in state.failures[:SHOWN]:
        yield from _failure(failure)
    if len(state.failures) > SHOWN:
        yield f" {'':<11}and {len(state.failures) - SHOWN:,} more: `--json`"
    if state.next:
        yield from wrapped("next", list(state.next), WIDTH)
    if rest is not None and rest.high_s:
        yield from wrapped("left", [f"{time_span(rest)} if done one after another"], WIDTH)


def _failure(one: Failure) -> Iterator[str]:
    tries = "once" if one.attempts == 1 else f"{one.attempts} times"
    head = f"{visible(one.label)}, {tries}: {visible(one.reason)}"
    yield from wrapped("failed", [head], WIDTH)
    if one.said:
        yield from wrapped("", [visible(one.said)[: 2 * WIDTH]], WIDTH)


def _works(shot: Snapshot) -> Iterator[str]:
    if not shot.works and not shot.holds:
        yield f"nothing is being worked on in {visible(shot.home)}"
        return
    if shot.works:
        yield from _rows(shot)
    for hold in shot.holds:
        of = f" of {visible(hold.name)}" if hold.name else ""
        who = f"process {hold.owner.pid} on {visible(hold.owner.host)}"
        parts = [f"run{of}, {who}, since {moment(hold.since)}", f"{len(hold.keys):,} stages"]
        yield from wrapped("", parts, WIDTH)


def _rows(shot: Snapshot) -> Iterator[str]:
    """Yield a row for each stage; those that wait in one job share theirs."""
    begun = {work.claim.attempt for work in shot.works if work.last is not None}
    groups = [list(group) for _, group in groupby(shot.works, key=_likeness)]
    rows = [_row(group, shot.now, begun=group[0].claim.attempt in begun) for group in groups]
    lines = columns([["at work", "how far", "left", "for", "where"], *rows], left=2)
    yield lines[0][:WIDTH]
    for at, (group, line) in enumerate(zip(groups, lines[1:], strict=True)):
        yield line[:WIDTH]
        remark = _remark(group[0], shot.now)
        after = groups[at + 1][0] if at + 1 < len(groups) else None
        of_both = after is not None and after.claim.attempt == group[0].claim.attempt
        if remark and not (of_both and after is not None and _remark(after, shot.now) == remark):
            yield f"   {visible(remark)}"[:WIDTH]


def _likeness(work: AtWork) -> tuple[str, str]:
    """Return by what neighbours share a row: one job, which has come to none of them yet."""
    return work.claim.attempt, work.claim.label if work.last is not None else ""


def _row(group: Sequence[AtWork], now: float, *, begun: bool) -> list[str]:
    work = group[0]
    left = None if work.last is None else left_s(work.last)
    where = [work.where.words() or work.claim.executor]
    if work.memory is not None:
        where.append(memory(work.memory))
    if work.device == "cuda":
        where.append("GPU")
    labels = folded(one.claim.label for one in group)
    return [
        visible(labels[0] if len(labels) == 1 else f"{labels[0]} and others")[:LABEL],
        visible(_far(work, begun=begun))[:FAR],
        "-" if left is None else duration(left),
        duration(max(0.0, now - work.claim.taken)),  # clocks are set back
        ", ".join(visible(part) for part in where),
    ]


def _far(work: AtWork, *, begun: bool) -> str:
    """Return how far a stage is; `begun`: its job has told something of one of its stages."""
    if work.last is None:
        waits = "waits in its job" if begun else "its job is loading"
        return waits if work.phase == "running" else work.phase
    if work.last.event in ("progress", "checkpoint"):
        return f"{work.last.done:,} of {work.last.total:,} {work.last.unit}"
    return event_words(work.last)


def _remark(work: AtWork, now: float) -> str:
    """Return what is amiss with a stage; empty where nothing is."""
    if work.fate:
        return work.fate
    if work.state is not None and work.state.over:
        return f"its job is over ({work.phase}), its run is taking it in"
    if work.sign is not None and now - work.sign > SILENT_S:
        return f"it has recorded nothing for {duration(now - work.sign)}"
    return ""


def _store(held: Held) -> list[str]:
    outputs = f"{held.outputs:,} outputs, {size(held.size.bytes) if held.size.bytes else '0 B'}"
    return wrapped("store", [outputs, f"{size(held.free)} free", visible(held.home)], WIDTH)
