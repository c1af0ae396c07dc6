"""Ask the runners what is in files of official code, as a process: torch is never loaded here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.spec.imported import Holds, Layout
from ddspec.spec.learned import Space
from ddspec.wire.job import JobExit

COMMAND = (sys.executable, "-P", "-m", "ddspec_runners.inspection")
NEEDED = ("torch", "safetensors", "numpy", "PIL")
"""What it imports; looked for before it is asked."""
TIMEOUT_S = 300.0
LINES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Inspected:
    """What files hold, as `ddspec_runners.inspection` says it."""

    digests: tuple[str, ...]
    holds: tuple[Holds | None, ...]
    experiments: int | None
    shape: tuple[int, int, int, int]
    dtype: str
    low: float
    high: float
    mean: float
    std: float
    near: float
    """Share of the values within [-0.1, 1.1]."""
    pixels: bool
    """Whether they can hardly be anything but pixels."""
    labels: dict[str, Any] | None
    """`kind` (hard, learned, expert), `classes` that appear, and of hard ones `low`, `high`,
    `even`, `ordered`; None where no file has labels."""


def inspect(
    layout: Layout, files: Sequence[Path], experiment: int, space: Space | None
) -> Inspected:
    """Return what is in files; raises `DdspecError` as the import would, before anything is made.

    Exit 3 where they are no files of the layout or contradict the space, exit 6 where the runners'
    libraries are not installed.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise DdspecError(
            f"files of official code are read by the runners, and {', '.join(missing)} "
            f"is not installed for {sys.executable}",
            exit=Exit.UNABLE,
            hint="`pip install 'ddspec[runners]'`",
        )
    question = {
        "layout": layout,
        "files": [str(path) for path in files],
        "experiment": experiment,
        "space": space,
    }
    return _read(_asked(json.dumps(question)))


def _asked(question: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            COMMAND,
            input=question,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"the files were not read after {TIMEOUT_S:.0f} seconds"
        raise DdspecError(message, exit=Exit.FAILED) from None
    told = "\n".join(done.stderr.strip().splitlines()[-LINES_SHOWN:])
    if done.returncode == JobExit.BAD_DATA:
        raise DdspecError([Diagnostic(told)], exit=Exit.INVALID)
    if done.returncode != JobExit.DONE:
        raise DdspecError(
            f"looking at the files failed with exit {done.returncode}\n{told}", exit=Exit.FAILED
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _read(answer: dict[str, Any]) -> Inspected:
    files = answer.pop("files")
    return Inspected(
        digests=tuple(file["sha256"] for file in files),
        holds=tuple(file["holds"] for file in files),
        **{**answer, "shape": tuple(answer["shape"])},
    )
