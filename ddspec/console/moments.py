"""Moments as people say them, in the time of their own clock."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: float) -> str:
    """Return a time, in seconds since 1970, to the minute: `2026-11-20 14:02`."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):  # a clock, or a file, that is far off
        return "some time"
