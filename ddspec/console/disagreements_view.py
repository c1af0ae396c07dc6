"""Where paper and official code disagree, and which of them a plan takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddspec.canon import Json
from ddspec.console.setting_words import cut, value_words
from ddspec.plan.said import where_of
from ddspec.visible import visible

if TYPE_CHECKING:
    from ddspec.plan.past import Said
    from ddspec.spec.origins import Disagreement

HEADING = " paper and code disagree, this plan takes"
NAME = 22
"""Characters of a setting's path that are shown on one line."""
LEAST = 2
"""Lines that say nothing but the heading and how many there are."""


@dataclass(frozen=True, slots=True)
class _Row:
    setting: str
    by: str
    taken: str
    other: str
    left: str
    where: str


def disagreement_lines(
    found: Sequence[Disagreement], settings: Mapping[str, Said], *, width: int, most: int
) -> list[str]:
    """Return a heading and a line each, at most `most` lines; none where there is nothing."""
    if not found:
        return []
    fit = max(0, most - LEAST) if len(found) >= most else len(found)
    rows = [_row(one, settings) for one in found[:fit]]
    lines = [HEADING, *_aligned(rows, width)] if rows else [HEADING]
    more = len(found) - fit
    return [*lines, f"   {'and ' if rows else ''}{more} more: `--values`"] if more else lines


def _row(one: Disagreement, settings: Mapping[str, Said]) -> _Row:
    now = _now(one, settings)
    place = where_of(one.place)
    if one.overridden is not None:
        place = place if one.overridden.place is None else where_of(one.overridden.place)
        by, taken = "spec", now
        other, left = ("code", one.code) if one.takes == "code" else ("paper", one.paper)
    elif one.takes == "code":
        by, taken, other, left = "code", one.code, "paper", one.paper
    elif one.takes == "paper":
        by, taken, other, left = "paper", one.paper, "code", one.code
    else:
        by, taken, other, left = "ours", now, "paper", one.paper
    return _Row(_short(one.setting), by, _line(taken), other, _line(left), place.rpartition("/")[2])


def _now(one: Disagreement, settings: Mapping[str, Said]) -> str:
    """Return the value of a setting; of a section its name, or all that it says."""
    for name in (one.setting, f"{one.setting}.name"):
        if name in settings:
            return value_words(settings[name].value)
    section = f"{one.setting}."
    parts = {
        path.removeprefix(section): said.value
        for path, said in settings.items()
        if path.startswith(section)
    }
    return value_words(parts) if parts else one.why


def _aligned(rows: Sequence[_Row], width: int) -> Iterator[str]:
    """Yield rows of `width` characters: what is taken and what is not share the room there is."""
    names = max(len(row.setting) for row in rows)
    room = width - len("    code   not paper   ") - names - max(len(row.where) for row in rows)
    taken = min(range(room // 3, room * 2 // 3), key=lambda cells: _lost(rows, cells, room))
    for row in rows:
        left = f"not {row.other:<5} {cut(row.left, room - taken)}"
        line = f"   {row.setting:<{names}} {row.by:<5} {cut(row.taken, taken):<{taken}} {left}"
        yield f"{line:<{width - len(row.where)}}{row.where}"


def _lost(rows: Sequence[_Row], taken: int, room: int) -> int:
    """Return how many characters are cut when what is taken has so many columns.

    What is taken counts twice: it is what will run.
    """
    over = sum(max(0, len(row.taken) - taken) for row in rows)
    return 2 * over + sum(max(0, len(row.left) - (room - taken)) for row in rows)


def _short(path: str) -> str:
    """Return a path that fits: its section and its last name."""
    if len(path) <= NAME:
        return visible(path)
    return cut(visible(f"{path.partition('.')[0]}…{path.rpartition('.')[2]}"), NAME)


def _line(text: str) -> str:
    return visible(text.replace("\n", " "))


def render_disagreements(found: Sequence[Disagreement]) -> str:
    """Return all of them in full, a paragraph each."""
    return "\n".join(line for one in found for line in _in_full(one))


def _in_full(one: Disagreement) -> Iterator[str]:
    taken: str = one.takes
    if one.overridden is not None:
        by = "" if one.overridden.place is None else f", {where_of(one.overridden.place)}"
        taken = f"{one.takes}, and this spec says otherwise{by}"
    yield f" {_line(one.setting)}: takes {taken}  {where_of(one.place)}"
    yield f"   paper  {_line(one.paper)}"
    yield f"   code   {_line(one.code)}"
    yield f"   why    {_line(one.why)}"


def disagreements_json(found: Sequence[Disagreement]) -> list[Json]:
    """Return them as JSON, whole."""
    return [
        {
            "setting": one.setting,
            "takes": one.takes,
            "paper": one.paper,
            "code": one.code,
            "why": one.why,
            "where": where_of(one.place),
            "overridden": None
            if one.overridden is None or one.overridden.place is None
            else where_of(one.overridden.place),
        }
        for one in found
    ]
