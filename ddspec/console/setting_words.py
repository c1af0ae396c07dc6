"""Values of settings on one line, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ddspec.canon import Json, canonical
from ddspec.console.quantities import decimal
from ddspec.plan.why import Cause
from ddspec.visible import visible


def value_words(value: Json) -> str:
    """Return a setting in words: `idc: operations [crop, scale], scale 1.2`; `-` for none."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return visible(value.replace("\n", " "))
    if isinstance(value, Mapping):
        kind = value.get("kind")
        rest = ", ".join(f"{visible(k)} {value_words(v)}" for k, v in value.items() if k != "kind")
        return ": ".join(part for part in ("" if kind is None else value_words(kind), rest) if part)
    if isinstance(value, Sequence):
        return f"[{', '.join(map(value_words, value))}]"
    return decimal(value) if isinstance(value, float) else canonical(value).decode()


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` characters, its end left out where it is longer."""
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def cause_words(cause: Cause, width: int = 60) -> str:
    """Return a changed setting with both values: `pool.epochs 2 -> 3`."""
    room = max(8, (width - len(cause.path) - 5) // 2)
    before, after = (cut(value_words(v), room) for v in (cause.edit.before, cause.edit.after))
    return f"{visible(cause.path)} {before} -> {after}"


def places(cause: Cause) -> str:
    """Return where a setting is written, and where it was: `x.yaml:27, was :25`."""
    now, was = cause.after, cause.before
    if now is None:
        return f"was {visible(was or '')}"
    if was is None or was == now:
        return visible(now)
    file, _, line = now.rpartition(":")
    if file and was.rpartition(":")[0] == file and line.isdecimal():
        return visible(f"{now}, was :{was.rpartition(':')[2]}")
    return visible(f"{now}, was {was}")
