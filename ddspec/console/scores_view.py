"""Accuracies of two results side by side, as plain text and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from textwrap import wrap
from typing import TypeAlias

from ddspec.canon import Json
from ddspec.console.columns import columns
from ddspec.console.layout import wrapped
from ddspec.run.inference import CONFIDENCE, Inference, Inferences
from ddspec.run.pairs import Pair, Paired
from ddspec.run.scores import Score
from ddspec.visible import visible

WIDTH = 100
NAMES_SHOWN = 6
SHORTEST = 12
"""Of a name that is cut."""
NOT_ALIKE = "not alike"
INTERVAL = f"{100 * CONFIDENCE:.0f} % interval"


@dataclass(frozen=True, slots=True)
class Row:
    """A pair, with what is said of it."""

    pair: Pair
    inference: Inference | None
    """None where the numbers do not compare, or statistics are not installed."""


_Words: TypeAlias = "Callable[[Row], str]"


def render_scores(found: Paired, told: Inferences | None) -> str:
    """Return accuracies in percent side by side, a block for each network; empty without any.

    With several variants, a block for each set and network, and a line for each variant. `told` is
    None where statistics are not installed: then errors stand where intervals would.
    """
    rows = _rows(found, told)
    parts = [*chain.from_iterable(_blocks(rows, told)), *_notes(rows, told), *_alone(found)]
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
    about = f" {what} by protocol {protocol}, on the {on} split; networks in brackets"
    last = (
        ("standard error",) if told is None else (f"{100 * CONFIDENCE:.0f} % interval", "verdict")
    )
    heads = ("variant" if several else "set", "before %", "after %", "difference", *last)
    lines = [_cells(name, row, told) for name, row in _named(rows, several=several)]
    left = [0, *([] if told is None else [5])]
    return [*_filled(visible(about)), *_aligned([heads, *lines], left)]


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
        (_listed([row.pair.variant for row in members], shown=1), members[0])
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


# --- what stands below ----------------------------------------------------------------------------


def _notes(rows: Sequence[Row], told: Inferences | None) -> list[str]:
    """Return what verdicts mean, what would tell, and what does not compare."""
    unlike = _grouped(rows, lambda row: _unlike_words(row.pair))
    notes = {NOT_ALIKE: unlike}
    if told is not None:
        notes = {"verdicts": _meaning(rows, told), "cannot tell": _grouped(rows, _more), **notes}
        notes["same runs"] = _grouped(rows, lambda row: _shared(row.pair))
    notes["by name"] = _grouped(rows, lambda row: _untold(row.pair))
    lines = [line for name, parts in notes.items() for line in _wrapped(name, parts)]
    return ["", *lines] if lines else []


def _wrapped(name: str, parts: Sequence[str]) -> list[str]:
    return wrapped(name, [visible(part) for part in parts], WIDTH) if parts else []


def _meaning(rows: Sequence[Row], told: Inferences) -> list[str]:
    tests = {row.inference.test for row in rows if row.inference is not None}
    parts = ["of after against before"] if tests - {None} else []
    if "hierarchical" in tests:
        parts.append("over synthetic sets, so of the methods (hierarchical)")
    if "welch" in tests:
        welch = [r for r in rows if r.inference is not None and r.inference.test == "welch"]
        whose = f"{_names(rows, welch)}: " if "hierarchical" in tests else ""
        parts.append(f"{whose}over networks, so of these very sets and no methods (Welch)")
    if told.corrected_over > 1:
        parts.append(f"corrected for {told.corrected_over} tests (Holm), intervals each alone")
    return parts


def _more(row: Row) -> str:
    """Return what would tell, in words; empty where something is told."""
    if row.inference is None or row.inference.verdict != "cannot tell":
        return ""
    found = row.inference.more
    if found is None:
        return "nothing varied, so nobody knows the spread" if _repeated(row.pair) else _too_few()
    things = "networks" if found.what == "repeats" else "seeds"
    size = f"{100 * found.size:.2g}"
    points = f"{size} point" if size == "1" else f"{size} points"
    if found.n is None:
        return f"more than 1,000 more {things} a side would have to"
    if found.n == 0:
        return f"{points} would have shown"
    thing = things if found.n > 1 else things.removesuffix("s")
    tells = "" if abs(row.inference.difference) >= found.size else f" tell {points}"
    return f"{found.n:,} more {thing} a side would{tells}"


def _too_few() -> str:
    return "one network a side shows no spread, two or more would"


def _repeated(pair: Pair) -> bool:
    return any(len(one.accuracies) > 1 for one in (*pair.before, *pair.after)) or (
        min(len(pair.before), len(pair.after)) > 1
    )


def _unlike_words(pair: Pair) -> str:
    return ", ".join(f"{one.fact} {one.before} before, {one.after} after" for one in pair.unlike)


def _shared(pair: Pair) -> str:
    one, other = pair.runs
    return f"in part, {len(one & other)} of them" if pair.is_same and one != other else ""


def _untold(pair: Pair) -> str:
    return f"what {', '.join(pair.untold)} consist of is not told" if pair.untold else ""


def _grouped(rows: Sequence[Row], words: _Words) -> list[str]:
    """Return each thing that is said of rows, once for all of them that it is said of."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(words(row), []).append(row)
    groups.pop("", None)
    return [f"{_names(rows, members)}: {said}" for said, members in groups.items()]


def _names(rows: Sequence[Row], some: Sequence[Row]) -> str:
    """Return rows by what tells them apart from the others."""
    if len(some) == len(rows) > 1:
        return "all"
    keys: tuple[_Words, ...] = (
        lambda row: row.pair.variant,
        lambda row: f"{row.pair.variant} {row.pair.set}".strip(),
        lambda row: f"{row.pair.variant} {row.pair.set} on {row.pair.place[0]}".strip(),
    )
    others = [row for row in rows if all(row is not one for one in some)]
    for key in keys:
        names = dict.fromkeys(map(key, some))
        if not names.keys() & set(map(key, others)) and "" not in names:
            break
    return _listed(list(names))


def _listed(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(visible, names[:shown])) + more


def _alone(found: Paired) -> list[str]:
    """Return what one side has alone; once for all variants that lack the same."""
    sides: dict[tuple[str, str], list[str]] = {}
    for one in found.alone:
        what = ", ".join(f"{set} on {network}" for set, network in one.results)
        sides.setdefault((one.side, what), []).append(one.variant)
    lines = []
    for (side, what), variants in sides.items():
        whose = f" of {_listed(variants)}" if any(variants) else ""
        lines += _filled(visible(f"only {side} has results of {what}") + whose)
    return lines


def _filled(text: str) -> list[str]:
    return wrap(text.strip(), WIDTH, initial_indent=" ", subsequent_indent="   ")


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
