"""What is said below a table of two results: what verdicts mean, and what would tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TypeAlias

from ddspec.console.layout import wrapped
from ddspec.run.inference import Inference, Inferences
from ddspec.run.pairs import Pair, Paired
from ddspec.visible import visible

WIDTH = 100
NAMES_SHOWN = 6
NOT_ALIKE = "not alike"


@dataclass(frozen=True, slots=True)
class Row:
    """A pair, with what is said of it."""

    pair: Pair
    inference: Inference | None
    """None where the numbers do not compare, or statistics are not installed."""


_Words: TypeAlias = "Callable[[Row], str]"


def notes_on(rows: Sequence[Row], told: Inferences | None) -> list[str]:
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
        return f"over 1,000 more {things} a side would"
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
    return listed(list(names))


def listed(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    """Return the first names, made visible, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(visible, names[:shown])) + more


def alone_on(found: Paired) -> list[str]:
    """Return what one side has alone; once for all variants that lack the same."""
    sides: dict[tuple[str, str], list[str]] = {}
    for one in found.alone:
        what = ", ".join(f"{set} on {network}" for set, network in one.results)
        sides.setdefault((one.side, what), []).append(one.variant)
    lines = []
    for (side, what), variants in sides.items():
        whose = f" of {listed(variants)}" if any(variants) else ""
        lines += filled(visible(f"only {side} has results of {what}") + whose)
    return lines


def filled(text: str) -> list[str]:
    """Return text as lines of at most `WIDTH` columns, later ones further in."""
    return wrap(text.strip(), WIDTH, initial_indent=" ", subsequent_indent="   ")
