"""How long things take, in two units at most."""

from __future__ import annotations


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


def _two(count: int, base: int, large: str, small: str, *, digits: int) -> str:
    return f"{count // base} {large} {count % base:0{digits}} {small}"
