"""Where a setting is written on two sides, in a few characters."""

from __future__ import annotations

from ddspec.errors import Place
from ddspec.visible import visible


def where_words(before: Place | None, after: Place | None) -> str:
    """Return the line after, and the one before if it is another one.

    >>> where_words(Place("main:a/x.yaml", 12), Place("a/x.yaml", 14))
    'x.yaml:14, was :12'
    """
    was, now = _short(before), _short(after)
    if not was or not now or was == now:
        return now or was
    same_file = was.rpartition(":")[0] == now.rpartition(":")[0] != ""
    return f"{now}, was {was[was.rindex(':') :] if same_file else was}"


def _short(place: Place | None) -> str:
    if place is None:
        return ""
    name = visible(place.file.rpartition("/")[2].rpartition(":")[2])
    return f"{name}:{place.line}" if place.line else name
