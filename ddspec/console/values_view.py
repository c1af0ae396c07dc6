"""Every resolved setting with where its value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from ddspec.canon import Json
from ddspec.console.setting_words import cut, value_words
from ddspec.plan.past import Said
from ddspec.visible import visible

WIDTH = 100
VALUE = 34
"""Characters of a value that are shown; more of them where there is room."""


def matching(settings: Sequence[Said], pattern: str) -> tuple[Said, ...]:
    """Return the settings whose path lies under a section, or fits a glob; all for an empty one."""
    if not pattern:
        return tuple(settings)
    return tuple(
        one
        for one in settings
        if one.path == pattern
        or one.path.startswith(f"{pattern}.")
        or fnmatchcase(one.path, pattern)
    )


def render_values(settings: Sequence[Said]) -> str:
    """Return one line a setting: path, value, and the line or the preset that says it."""
    paths = max((len(one.path) for one in settings), default=0)
    values = min(VALUE, max((len(value_words(one.value)) for one in settings), default=0))
    return "\n".join(
        f" {visible(one.path):<{paths}}  {cut(value_words(one.value), values):<{values}}  "
        f"{_source(one)}".rstrip()
        for one in settings
    )


def values_json(settings: Sequence[Said]) -> list[Json]:
    """Return the settings as JSON, whole."""
    return [
        {
            "path": one.path,
            "value": one.value,
            "where": one.where,
            **({"note": one.note} if one.note else {}),
        }
        for one in settings
    ]


def _source(one: Said) -> str:
    return visible(f"{one.where} · {one.note}" if one.note else one.where)
