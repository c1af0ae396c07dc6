"""Ask a package that `ddspec` never loads, as a process: a question in, an answer out, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from ddspec.canon import Json
from ddspec.errors import DdspecError, Diagnostic, Exit

LINES_SHOWN = 6


def missing(libraries: Iterable[str]) -> str:
    """Return which libraries are not installed, in words; empty where all are."""
    absent = [name for name in libraries if find_spec(name) is None]
    return f"{', '.join(absent)}, not installed for {sys.executable}" if absent else ""


def answered(
    command: Sequence[str], question: Json, what: str, *, refused: int, timeout_s: float | None
) -> Json:
    """Return what a process answers; `what` it does is said where it fails, None waits for ever.

    Raises `DdspecError`: exit 3 with its own words where it exits with `refused`, 1 where it died.
    """
    try:
        done = subprocess.run(
            command,
            input=json.dumps(question, allow_nan=False),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"{what} had no answer after {timeout_s:.0f} seconds"
        raise DdspecError(message, exit=Exit.FAILED) from None
    told = "\n".join(done.stderr.strip().splitlines()[-LINES_SHOWN:])
    if done.returncode == refused:
        raise DdspecError([Diagnostic(told)], exit=Exit.INVALID)
    if done.returncode != 0:
        raise DdspecError(f"{what} died with exit {done.returncode}\n{told}", exit=Exit.FAILED)
    answer: Json = json.loads(done.stdout)
    return answer
