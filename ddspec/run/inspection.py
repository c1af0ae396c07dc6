"""Ask the runners what is in files of official code, as a process: torch is never loaded here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.run.asking import answered, missing
from ddspec.spec.imported import Holds, Layout
from ddspec.spec.learned import Space
from ddspec.wire.job import JobExit

COMMAND = (sys.executable, "-P", "-m", "ddspec_runners.inspection")
NEEDED = ("torch", "safetensors", "numpy", "PIL")
"""What it imports; looked for before it is asked."""
TIMEOUT_S = 300.0


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
    if absent := missing(NEEDED):
        raise DdspecError(
            f"files of official code are read by the runners, which need {absent}",
            exit=Exit.UNABLE,
            hint="`pip install 'ddspec[runners]'`",
        )
    question: Json = {
        "layout": layout,
        "files": [str(path) for path in files],
        "experiment": experiment,
        "space": space,
    }
    return _read(_asked(question))


def _asked(question: Json) -> Any:
    what = "looking at the files"
    return answered(COMMAND, question, what, refused=JobExit.BAD_DATA, timeout_s=TIMEOUT_S)


def _read(answer: dict[str, Any]) -> Inspected:
    files = answer.pop("files")
    return Inspected(
        digests=tuple(file["sha256"] for file in files),
        holds=tuple(file["holds"] for file in files),
        **{**answer, "shape": tuple(answer["shape"])},
    )
