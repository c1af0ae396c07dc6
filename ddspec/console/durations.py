"""How long things take, in two units at most."""

from __future__ import annotations

from typing import Protocol


class Seconds(Protocol):
    """From so many seconds to so many."""

    @property
    def low_s(self) -> float:
        """At best."""
        ...

    @property
    def high_s(self) -> float:
        """At worst."""
        ...


def duration(seconds: float) -> str:
    """Return a span of time as people say it: `0.4 s`, `12 s`, `3 m 05 s`, `7 h 40 m`, `2 d 4 h`.

    >>> duration(185)
    '3 m 05 s'
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole, 60, "m", "s", digits=2)
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return _two(minutes, 60, "h", "m", digits=2)
    return _two(round(seconds / 3600), 24, "d", "h", digits=1)


def time_words(low_s: float, high_s: float) -> str:
    """Return a range of times in one unit: `10-20 m`, `0.9-2.4 h`."""
    unit, seconds, digits = next(one for one in _UNITS if high_s < one[3] or not one[3])[:3]
    return f"{_range(low_s / seconds, high_s / seconds, digits)} {unit}"


def time_span(span: Seconds | None) -> str:
    """Return a range of times in one unit; `?` for unknown."""
    return "?" if span is None else time_words(span.low_s, span.high_s)


def hours_span(span: Seconds | None) -> str:
    """Return a range of times in hours: `79-197 h`; `?` for unknown."""
    if span is None:
        return "?"
    return f"{_range(span.low_s / 3600, span.high_s / 3600, 1)} h"


_UNITS = (("s", 1, 0, 99.5), ("m", 60, 0, 60 * 99.5), ("h", 3600, 1, 0))
"""Unit, its seconds, digits of small numbers, and below how many seconds it serves."""


def _range(low: float, high: float, digits: int) -> str:
    first, last = (f"{x:.{digits if x < 9.95 else 0}f}" for x in (low, high))
    if not float(last):
        return f"<{10**-digits:g}"
    return last if first == last else f"{first}-{last}"


def _two(count: int, base: int, large: str, small: str, *, digits: int) -> str:
    return f"{count // base} {large} {count % base:0{digits}} {small}"
