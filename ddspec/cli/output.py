"""Where words go: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from ddspec.canon import Json


def show(text: str) -> None:
    """Write data that a person asked for to stdout, with one line end after it."""
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def show_json(value: Json) -> None:
    """Write one JSON object to stdout, indented, keys in the order they were given."""
    show(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    """Write a message for people to stderr; work does not end because nobody can read it."""
    with suppress(OSError):
        sys.stderr.write(text.rstrip("\n") + "\n")
        sys.stderr.flush()
