"""What the terminal of a stream can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO


def can_move(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether a stream is a terminal whose lines can be drawn again."""
    return environ.get("TERM") != "dumb" and stream.isatty()


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether a stream is a terminal with colours whose owner did not set NO_COLOR."""
    return not environ.get("NO_COLOR") and can_move(stream, environ)
