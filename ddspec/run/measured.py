"""Results that were written to a file, by `run --json`, `results --json` or beside a set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ddspec.canon import Digest
from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.run.evidence import Cost, Evidence
from ddspec.run.scores import HARD, Rate, Score
from ddspec.spec.matrix_axes import MAX_VARIANTS
from ddspec.store.store import LONGEST_S

FORMATS = ("ddspec.run/1", "ddspec.results/1")
MAX_BYTES = 2**26
HEAD_BYTES = 4096

_HEAD = re.compile(rb'\s*\{[^{}\[\]]*"format"\s*:\s*"ddspec\.(?:run|results)/')

Fraction = Annotated[float, Field(ge=0, le=1)]
Natural = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_S)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


_Form = TypeVar("_Form", "_Document", "_Matrix", "_Kind")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a file of results says, as far as it can be compared."""

    name: str
    plan: Digest
    scores: tuple[Score, ...]


class _Best(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    accuracies: Annotated[list[Fraction], Field(min_length=1)]


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
    best_on_validation: _Best | None = None
    learning_rate: float | None = None
    learned_rate: bool | None = None


class _Cost(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    seconds: Seconds | None = None
    device: str = ""
    flops: Natural | None = None


class _Standing(BaseModel):
    """What lets results stand for their document; each may be missing in a file of old."""

    model_config = ConfigDict(frozen=True, strict=True)

    row: str = ""
    seed: Natural | None = None
    method: Sha256 | None = None
    dataset: str = ""
    images_per_class: Natural | None = None
    protocol: Sha256 | None = None
    test_set: Sha256 | None = None
    cost: _Cost = _Cost()
    costs: dict[str, _Cost] = {}
    missing: list[str] = []


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    format: str
    name: str
    title: str | None = None
    plan: Digest
    results: list[_Row]
    evidence: _Standing = _Standing()


class _Kind(BaseModel):
    """What a matrix's file has and others lack, and the plan that every file names."""

    model_config = ConfigDict(frozen=True)

    format: str
    plan: Digest = ""
    variants: Any = None


class _OfVariant(BaseModel):
    """One variant of a matrix."""

    model_config = ConfigDict(frozen=True, strict=True)

    name: str
    results: list[_Row] = []
    evidence: _Standing = _Standing()


class _Matrix(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    format: str
    name: str
    title: str | None = None
    variants: Annotated[list[_OfVariant], Field(min_length=1, max_length=MAX_VARIANTS)]


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
    found = _read(path, _Document)
    return Measured(found.name, found.plan, tuple(map(_score, found.results)))


def read_evidence(path: Path, document: str = "") -> tuple[Evidence, ...]:
    """Read what a file of results knows of each variant; raises as `read_measured` does.

    Files of older versions tell scores alone.
    """
    called = document or str(path)
    if _read(path, _Kind).variants is None:
        alone = _read(path, _Document)
        return (_evidence(called, alone, "", alone.results, alone.evidence),)
    matrix = _read(path, _Matrix)
    return tuple(
        _evidence(called, matrix, one.name, one.results, one.evidence) for one in matrix.variants
    )


def read_plan_digest(path: Path) -> Digest:
    """Return the digest of the plan that a file of results is of; raises as `read_measured`."""
    return _read(path, _Kind).plan


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise _refused(path, [f"larger than {MAX_BYTES:,} bytes, which no results are"])
    return path.read_bytes()


def _read(path: Path, form: type[_Form]) -> _Form:
    try:
        found = form.model_validate_json(_content(path))
    except ValidationError as error:
        raise _refused(path, [_problem(one["loc"], one["msg"]) for one in error.errors()]) from None
    if found.format not in FORMATS:
        raise _refused(path, [f"the format `{found.format}` is not one of {', '.join(FORMATS)}"])
    return found


def _evidence(
    document: str,
    whole: _Document | _Matrix,
    variant: str,
    results: Sequence[_Row],
    told: _Standing,
) -> Evidence:
    return Evidence(
        document=document,
        name=whole.name,
        variant=variant,
        title=whole.title or "",
        method=told.method,
        row=told.row or variant or whole.name,
        seed=told.seed,
        dataset=told.dataset,
        images_per_class=told.images_per_class,
        protocol=told.protocol,
        test_set=told.test_set,
        scores=tuple(map(_score, results)),
        cost=_cost(told.cost),
        costs={name: _cost(cost) for name, cost in told.costs.items()},
        missing=tuple(told.missing),
    )


def _cost(told: _Cost) -> Cost:
    return Cost(told.seconds, told.device, told.flops)


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
        best=() if row.best_on_validation is None else tuple(row.best_on_validation.accuracies),
        rate=_rate(row),
    )


def _rate(row: _Row) -> Rate | None:
    if row.learning_rate is None or row.learned_rate is None:
        return None
    return Rate(row.learning_rate, row.learned_rate)


def _problem(path: tuple[int | str, ...], message: str) -> str:
    return f"`{'.'.join(map(str, path))}`: {message}" if path else message


def _refused(path: Path, problems: list[str]) -> DdspecError:
    place = Place(str(path))
    return DdspecError(
        [Diagnostic(problem, place, hint="write it again with `--json`") for problem in problems],
        exit=Exit.INVALID,
    )
