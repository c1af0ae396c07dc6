"""Results that were written to a file, by `run --json`, `results --json` or beside a set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ddspec.canon import Digest
from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.run.scores import HARD, Score

FORMATS = ("ddspec.run/1", "ddspec.results/1")
MAX_BYTES = 2**26
HEAD_BYTES = 4096

_HEAD = re.compile(rb'\s*\{[^{}\[\]]*"format"\s*:\s*"ddspec\.(?:run|results)/')

Fraction = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a file of results says, as far as it can be compared."""

    name: str
    plan: Digest
    scores: tuple[Score, ...]


class _Row(BaseModel):
    """One set's accuracies; further keys are for people."""

    model_config = ConfigDict(frozen=True, strict=True)

    set: str
    network: str
    protocol: str
    on: str
    accuracies: Annotated[list[Fraction], Field(min_length=1)]
    repeats_planned: int
    keys: list[Digest] = []
    labels: str = HARD


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    format: str
    name: str
    plan: Digest
    results: list[_Row]


def is_measured(path: Path) -> bool:
    """Return whether a document is a file of results, by its first bytes."""
    try:
        if not path.is_file():
            return False  # opening a pipe would wait for its writer
        with path.open("rb") as file:
            return _HEAD.match(file.read(HEAD_BYTES)) is not None
    except (OSError, ValueError):
        return False  # whoever reads it next says why


def read_measured(path: Path) -> Measured:
    """Read a file of results; `DdspecError` (exit 3) where it is damaged or of a later format."""
    if path.stat().st_size > MAX_BYTES:
        raise _refused(path, [f"larger than {MAX_BYTES:,} bytes, which no results are"])
    try:
        found = _Document.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _refused(path, [_problem(one["loc"], one["msg"]) for one in error.errors()]) from None
    if found.format not in FORMATS:
        raise _refused(path, [f"the format `{found.format}` is not one of {', '.join(FORMATS)}"])
    return Measured(found.name, found.plan, tuple(map(_score, found.results)))


def _score(row: _Row) -> Score:
    return Score(
        set=row.set,
        network=row.network,
        protocol=row.protocol,
        on=row.on,
        accuracies=tuple(row.accuracies),
        planned=row.repeats_planned,
        keys=tuple(row.keys),
        labels=row.labels,
    )


def _problem(path: tuple[int | str, ...], message: str) -> str:
    return f"`{'.'.join(map(str, path))}`: {message}" if path else message


def _refused(path: Path, problems: list[str]) -> DdspecError:
    place = Place(str(path))
    return DdspecError(
        [Diagnostic(problem, place, hint="write it again with `--json`") for problem in problems],
        exit=Exit.INVALID,
    )
