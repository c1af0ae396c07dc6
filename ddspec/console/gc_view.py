"""What of a store would go, or went, and what stays, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ddspec.console.columns import columns
from ddspec.console.durations import duration
from ddspec.console.layout import wrapped
from ddspec.console.moments import moment
from ddspec.console.quantities import size
from ddspec.run.clearing import Cleared
from ddspec.run.unreached import Thing
from ddspec.visible import visible

LARGEST = 8
"""Things that are named one by one."""
WIDTH = 100
NOTE = "git history is not looked at: `--also REV` keeps what specs reach at a revision"
LABEL = 40
"""Columns of a label."""


def render_clearing(
    cleared: Cleared, told: Sequence[str], *, now: float, deleted: bool, free: int
) -> str:
    """Return the page; `told` says of which documents it speaks, `free` are bytes on the disk."""
    things = cleared.found.things
    lines = [*told, "", *_kept(cleared), ""]
    if not things:
        return "\n".join([*lines, f" nothing would go, {_size(free)} free"])
    lines += [*_table(things, now, deleted=deleted), "", *_largest(things), ""]
    lines += _end(cleared, deleted=deleted, free=free)
    return "\n".join(lines)


def _kept(cleared: Cleared) -> list[str]:
    reach, found = cleared.reach, cleared.found
    rows = [("stays", f"{len(reach.reached):,} stages that these documents reach")]
    if reach.claims:
        rows.append(("", f"{len(reach.claims):,} that are being made, with all that they read"))
    for hold in reach.holds:
        of = f" of `{visible(hold.name)}`" if hold.name else ""
        who = f"run {hold.owner.pid} on {visible(hold.owner.host)}{of}, since {moment(hold.since)}"
        rows.append(("", f"{len(hold.keys):,} that count for a living run: {who}"))
    if found.young:
        young = ", ".join(_counts(found.young))
        rows.append(("", f"{young} that changed just now: `--keep-newer` says since when"))
    rows += [("", f"{visible(str(path))}: it holds other things too") for path in found.mixed]
    return [line for name, text in rows for line in wrapped(name, [text], WIDTH)]


def _table(things: Sequence[Thing], now: float, *, deleted: bool) -> list[str]:
    groups: dict[tuple[str, str], list[Thing]] = {}
    for thing in things:
        groups.setdefault((thing.what, thing.kind), []).append(thing)
    head = ("went" if deleted else "would go", "of", "n", "size", "oldest", "newest")
    ranked = sorted(groups.items(), key=lambda item: -_bytes(item[1]))
    rows = [
        (
            what,
            visible(kind)[:LABEL] or "-",
            f"{len(group):,}",
            _size(_bytes(group)),
            _age(min(one.size.modified for one in group), now),
            _age(max(one.size.modified for one in group), now),
        )
        for (what, kind), group in ranked
    ]
    return columns([head, *rows], left=2)


def _largest(things: Sequence[Thing]) -> list[str]:
    rows = [("largest", "", "size", "changed")]
    rows += [
        (
            _short(thing),
            visible(thing.label)[:LABEL],
            _size(thing.size.bytes),
            moment(thing.size.modified),
        )
        for thing in things[:LARGEST]
    ]
    more = len(things) - LARGEST
    return columns(rows, left=2) + ([f" and {more:,} more: `--json`"] if more > 0 else [])


def _end(cleared: Cleared, *, deleted: bool, free: int) -> list[str]:
    things = cleared.found.things
    total = [*_counts(things), _size(_bytes(things)), f"{_size(free)} free now"]
    if not deleted:
        return [
            *wrapped("together", total, WIDTH),
            f" note       {NOTE}",
            " next       nothing was removed: `--delete` does that",
        ]
    lines = wrapped("removed", total, WIDTH)
    for one in cleared.failed:
        lines += wrapped("not gone", [visible(f"{one.path}: {one.reason}")], WIDTH)
    return lines


def _counts(things: Sequence[Thing]) -> list[str]:
    counts = Counter(thing.what for thing in things)
    return [
        f"{number:,} {what}{'' if number == 1 or what == 'remains' else 's'}"
        for what, number in counts.items()
    ]


def _short(thing: Thing) -> str:
    name = thing.of[:12] if thing.what in ("output", "scratch folder") else thing.of[:32]
    return f"{thing.what} {visible(name)}"


def _bytes(things: Iterable[Thing]) -> int:
    return sum(thing.size.bytes for thing in things)


def _size(count: int) -> str:
    return size(count) if count else "0 B"


def _age(modified: float, now: float) -> str:
    return f"{duration(max(0.0, now - modified))} ago"
