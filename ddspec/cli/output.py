"""Where words go: data to stdout, everything else to stderr.

Titles, names and messages of runners come from files that somebody else may have written, so
nothing is printed before what could steer a terminal is made visible.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

from ddspec.canon import Json
from ddspec.visible import visible_lines


def open_streams() -> None:
    """Give stdout and stderr somewhere to write, whatever the caller left open."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # else the first file of the store would become the standard output of its jobs
    os.close(descriptor)
    # Python has no stream for a descriptor that was closed when it started
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show a character gets a question mark, not a traceback
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a TextIO by name only


def show(text: str) -> None:
    """Write data that a person asked for to stdout, with one line end after it."""
    sys.stdout.write(visible_lines(text.rstrip("\n")) + "\n")
    sys.stdout.flush()


def show_json(value: Json) -> None:
    """Write one JSON value to stdout, indented, keys in the order they were given."""
    show(json_text(value))


def json_text(value: Json) -> str:
    """Return a JSON value as it is printed; nothing in it can steer a terminal."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return "\n".join(map(_escaped, text.split("\n")))


def say(text: str, *, styled: bool = False) -> None:
    """Write a message for people to stderr; work does not end because nobody can read it.

    A `styled` one holds colours of ours, and its text was made visible before.
    """
    with suppress(OSError):
        sys.stderr.write((text if styled else visible_lines(text)).rstrip("\n") + "\n")
        sys.stderr.flush()


def _escaped(line: str) -> str:
    """Return a line of JSON with everything escaped that could steer a terminal."""
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
