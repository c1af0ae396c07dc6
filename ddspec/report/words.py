"""Figures in words, for cells of tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

LEVELS = 8
"""Steps of shade in a confusion matrix."""
SHORT = 12
"""Characters of a digest that people compare."""
VALUE = 200
"""Characters of the value of a setting."""
MINUS = "\N{MINUS SIGN}"


def percent(value: float | None) -> str:
    """Return a fraction in percent: `91.4`; a dash for none."""
    return "\N{EN DASH}" if value is None else f"{100 * value:.1f}"


def spread(value: float | None) -> str:
    """Return a deviation in percent: `± 0.4`; nothing for none."""
    return "" if value is None else f"± {100 * value:.1f}"


def points(value: float | None) -> str:
    """Return a difference of fractions in points, with its sign: `+16.1`."""
    if value is None:
        return "\N{EN DASH}"
    return f"{100 * value:+.1f}".replace("-", MINUS)


def times(value: float | None) -> str:
    """Return a ratio: `1.3 x`."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:.2g} \N{MULTIPLICATION SIGN}" if value < 100 else ">100 \N{MULTIPLICATION SIGN}"


def level(count: int, row: Sequence[int]) -> int:
    """Return the shade of a cell, by its share of the row: 0 for none, at most `LEVELS`."""
    whole = sum(row)
    return 0 if not whole or not count else max(1, round(LEVELS * count / whole))


def moment_utc(seconds: float) -> str:
    """Return a time, in seconds since 1970, to the second, in UTC wherever the page is made."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # a clock, or a file, that is far off
        return "some time"


def short(digest: str | None) -> str:
    """Return the head of a digest."""
    return (digest or "")[:SHORT]


def value_words(value: object) -> str:
    """Return the value of a setting as JSON has it, cut where it is long; text without quotes."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE else f"{text[: VALUE - 1]}…"
