"""Accuracies of two results side by side, as plain text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from ddspec.canon import Json
from ddspec.console.columns import columns
from ddspec.console.scores_notes import NOT_ALIKE, WIDTH, Row, alone_on, filled, listed, notes_on
from ddspec.run.inference import CONFIDENCE, Inference, Inferences
from ddspec.run.pairs import Paired
from ddspec.run.scores import Score
from ddspec.visible import visible

SHORTEST = 12
"""Of a name that is cut."""


def render_scores(found: Paired, told: Inferences | None) -> str:
    """Return accuracies in percent side by side, a block for each network; empty without any.

    With several variants, a block for each set and network, and a line for each variant. `told` is
    None where statistics are not installed: then errors stand where intervals would.
    """
    rows = _rows(found, told)
    parts = [*chain.from_iterable(_blocks(rows, told)), *notes_on(rows, told), *alone_on(found)]
    return "\n".join(parts).removeprefix("\n")


def scores_json(found: Paired, told: Inferences | None) -> list[Json]:
    """Return every pair of accuracies with its difference, as fractions.

    What does not compare has no difference, unless that was insisted on.
    """
    return [_json(row, told) for row in _rows(found, told)]


def _rows(found: Paired, told: Inferences | None) -> list[Row]:
    inferences = (None,) * len(found.pairs) if told is None else told.found
    return [Row(pair, one) for pair, one in zip(found.pairs, inferences, strict=True)]


# --- tables ---------------------------------------------------------------------------------------


def _blocks(rows: Sequence[Row], told: Inferences | None) -> list[list[str]]:
    several = _has_variants(rows)
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        about = (*row.pair.place, row.pair.set) if several else row.pair.place
        groups.setdefault(about, []).append(row)
    return [["", *_block(members, told, several=several)] for members in groups.values()]


def _block(rows: Sequence[Row], told: Inferences | None, *, several: bool) -> list[str]:
    network, protocol, on = rows[0].pair.place
    what = f"{rows[0].pair.set} on {network}" if several else network
    replicated = any(len(side) > 1 for row in rows for side in (row.pair.before, row.pair.after))
    counted = "sets x networks" if replicated else "networks"
    about = f" {what} by protocol {protocol}, on the {on} split; {counted} in brackets"
    last = (
        ("standard error",) if told is None else (f"{100 * CONFIDENCE:.0f} % interval", "verdict")
    )
    heads = ("variant" if several else "set", "before %", "after %", "difference", *last)
    lines = [_cells(name, row, told) for name, row in _named(rows, several=several)]
    left = [0, *([] if told is None else [5])]
    return [*filled(visible(about)), *_aligned([heads, *lines], left)]


def _aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """Return rows in columns, all to the right but those in `left`.

    Names in the first column are cut where lines would be too long.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = max(SHORTEST, WIDTH - 1 - sum(width + 2 for width in widths[1:]))
    rows = [(_within(name, room), *cells) for name, *cells in rows]
    widths[0] = min(widths[0], room)
    padded = [
        [
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    return columns(padded, left=0)


def _within(name: str, room: int) -> str:
    """Return a name cut in its middle: names of variants often differ at their ends."""
    if len(name) <= room:
        return name
    tail = (room - 1) // 2
    return f"{name[: room - 1 - tail]}…{name[-tail:]}"


def _named(rows: Sequence[Row], *, several: bool) -> list[tuple[str, Row]]:
    """Return a name for each row; variants that share their runs, as of baselines, share a row."""
    if not several:
        return [(visible(row.pair.set), row) for row in rows]
    groups: dict[object, list[Row]] = {}
    for row in rows:
        one, other = row.pair.runs
        groups.setdefault((one, other) if one and other else id(row), []).append(row)
    return [
        (listed([row.pair.variant for row in members], shown=1), members[0])
        for members in groups.values()
    ]


def _cells(name: str, row: Row, told: Inferences | None) -> tuple[str, ...]:
    pair, found = row.pair, row.inference
    cells = (name, _accuracy(pair.before), _accuracy(pair.after), _difference(row, told))
    if told is None:
        error = None if pair.unlike else pair.standard_error
        return (*cells, "-" if error is None else f"{100 * error:.2f}")
    interval = "-"
    if found is not None and found.low is not None and found.high is not None:
        interval = f"{100 * found.low:+.2f} to {100 * found.high:+.2f}"
    return (*cells, interval, _verdict(row))


def _difference(row: Row, told: Inferences | None) -> str:
    pair = row.pair
    if pair.unlike and row.inference is None:
        return NOT_ALIKE if told is None else "-"
    one, other = pair.runs
    if pair.is_same and one == other:
        return "same runs" if told is None else "-"
    return f"{100 * pair.difference:+.2f}"


def _verdict(row: Row) -> str:
    if row.inference is None:
        return NOT_ALIKE
    return f"{row.inference.verdict}, {NOT_ALIKE}" if row.pair.unlike else row.inference.verdict


def _accuracy(scores: Sequence[Score]) -> str:
    """Return mean and spread, over sets where there are several; networks in brackets."""
    whole = _joined(scores)
    if len(scores) == 1:
        spread = "" if whole.std is None else f" ± {100 * whole.std:.2f}"
        return f"{100 * whole.mean:.2f}{spread} ({len(whole.accuracies)})"
    means = _joined([replace(one, accuracies=(one.mean,), best=(), keys=()) for one in scores])
    counts = {len(one.accuracies) for one in scores}
    networks = f"{len(scores)}x{counts.pop()}" if len(counts) == 1 else f"{len(whole.accuracies)}"
    return f"{100 * means.mean:.2f} ± {100 * (means.std or 0):.2f} ({networks})"


def _joined(scores: Sequence[Score]) -> Score:
    """Return replicates as one score."""
    return replace(
        scores[0],
        accuracies=tuple(chain.from_iterable(one.accuracies for one in scores)),
        keys=tuple(chain.from_iterable(one.keys for one in scores)),
        best=tuple(chain.from_iterable(one.best for one in scores)),
        planned=sum(one.planned for one in scores),
    )


def _has_variants(rows: Iterable[Row]) -> bool:
    return any(row.pair.variant for row in rows)


# --- JSON -----------------------------------------------------------------------------------------


def _json(row: Row, told: Inferences | None) -> Json:
    pair, found = row.pair, row.inference
    refused = bool(pair.unlike) and found is None and told is not None
    before, after = _joined(pair.before), _joined(pair.after)
    same = bool(before.keys) and before.keys == after.keys
    return {
        "variant": pair.variant or None,
        "before": before.plain(),
        "after": after.plain(),
        "comparable": not pair.unlike,
        "same_runs": same,
        "difference": None if refused else pair.difference,
        "standard_error": None if refused else pair.standard_error,
        "replicates": {
            "before": [list(one.accuracies) for one in pair.before],
            "after": [list(one.accuracies) for one in pair.after],
        },
        "unlike": [_plain_fact(one.fact, one.before, one.after) for one in pair.unlike],
        "untold": list(pair.untold),
        "inference": None if found is None or told is None else _plain(found, told),
    }


def _plain_fact(fact: str, before: str, after: str) -> Mapping[str, Json]:
    return {"fact": fact, "before": before, "after": after}


def _plain(found: Inference, told: Inferences) -> Mapping[str, Json]:
    more = found.more
    return {
        "verdict": found.verdict,
        "confidence": CONFIDENCE,
        "corrected_over": told.corrected_over,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "p_adjusted": found.p_adjusted,
        "of": found.of,
        "test": found.test,
        "between_std": found.between_std,
        "within_std": found.within_std,
        "more": None if more is None else {"what": more.what, "n": more.n, "size": more.size},
    }
