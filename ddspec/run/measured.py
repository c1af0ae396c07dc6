"""Results that were written to a file, by `run --json`, `results --json` or beside a set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ddspec.canon import Digest
from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.run.evidence import Cost, Evidence
from ddspec.run.scores import HARD, Rate, Score
from ddspec.spec.matrix_axes import MAX_VARIANTS
from ddspec.store.store import LONGEST_S

FORMATS = ("ddspec.run/1", "ddspec.results/1")
MAX_BYTES = 2**26
MAX_ROWS = 10_000
"""Of one experiment; a plan has fewer evaluations than that."""
HEAD_BYTES = 4096
PROBLEMS_SHOWN = 20

_HEAD = re.compile(rb'\s*\{[^{}\[\]]*"format"\s*:\s*"ddspec\.(?:run|results)/')

Fraction = Annotated[float, Field(ge=0, le=1)]
Natural = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_S)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, Field(max_length=2_000)]
"""No text of a spec is longer."""


Form = TypeVar("Form", bound="Head")


class _Best(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    accuracies: Annotated[list[Fraction], Field(min_length=1)]


class Head(BaseModel):
    """What every file of results begins with."""

    model_config = ConfigDict(frozen=True, strict=True)

    format: Words


class Row(BaseModel):
    """One set's accuracies; further keys are for people."""

    model_config = ConfigDict(frozen=True, strict=True)

    set: Words
    network: Words
    protocol: Words
    on: Words
    accuracies: Annotated[list[Fraction], Field(min_length=1)]
    repeats_planned: Natural
    keys: list[Digest] = []
    labels: Words = HARD
    best_on_validation: _Best | None = None
    learning_rate: float | None = None
    learned_rate: bool | None = None


def _once(rows: list[Row]) -> list[Row]:
    seen = {(row.set, row.network, row.protocol, row.on) for row in rows}
    if len(seen) < len(rows):
        raise ValueError("a set has two rows on one network, by one protocol, on one split")
    return rows


Rows = Annotated[list[Row], Field(max_length=MAX_ROWS), AfterValidator(_once)]


class _Cost(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)

    seconds: Seconds | None = None
    device: Words = ""
    flops: Natural | None = None


class _Standing(BaseModel):
    """What lets results stand for their document; each may be missing in a file of old."""

    model_config = ConfigDict(frozen=True, strict=True)

    row: Words = ""
    seed: Natural | None = None
    method: Sha256 | None = None
    dataset: Words = ""
    images_per_class: Natural | None = None
    protocol: Sha256 | None = None
    test_set: Sha256 | None = None
    cost: _Cost = _Cost()
    costs: dict[Words, _Cost] = {}
    missing: list[Words] = []


class _Document(Head):
    name: Words
    title: Words | None = None
    plan: Digest
    results: Rows
    evidence: _Standing = _Standing()


class _Kind(Head):
    """What a matrix's file has and others lack, and the plan that every file names."""

    plan: Digest = ""
    variants: Any = None


class _OfVariant(BaseModel):
    """One variant of a matrix."""

    model_config = ConfigDict(frozen=True, strict=True)

    name: Words
    results: Rows = []
    evidence: _Standing = _Standing()


class _Matrix(Head):
    name: Words
    title: Words | None = None
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


def read_evidence(path: Path, document: str = "") -> tuple[Evidence, ...]:
    """Read what a file of results knows of each variant; files of older versions tell scores alone.

    Raises `DdspecError` (exit 3) where it is damaged or of a later format.
    """
    called = document or str(path)
    if read_form(path, _Kind).variants is None:
        alone = read_form(path, _Document)
        return (_evidence(called, alone, "", alone.results, alone.evidence),)
    matrix = read_form(path, _Matrix)
    return tuple(
        _evidence(called, matrix, one.name, one.results, one.evidence) for one in matrix.variants
    )


def read_plan_digest(path: Path) -> Digest:
    """Return the digest of the plan that a file of results is of; raises as `read_evidence`."""
    return read_form(path, _Kind).plan


def read_form(
    path: Path, form: type[Form], *, formats: Sequence[str] = FORMATS, again: str = "`--json`"
) -> Form:
    """Read a file of results as one of its forms; `again` is what writes it.

    Raises `DdspecError` (exit 3), naming the file, where it is damaged or something else.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise refused(path, [f"larger than {MAX_BYTES:,} bytes, which no results are"], again)
        found = form.model_validate_json(path.read_bytes())
    except OSError as error:
        raise refused(path, [f"cannot be read: {error.strerror}"], again) from None
    except ValidationError as error:
        problems = [_problem(one["loc"], one["msg"]) for one in error.errors()[:PROBLEMS_SHOWN]]
        raise refused(path, problems, again) from None
    if found.format not in formats:
        told = f"the format `{found.format}` is not one of {', '.join(formats)}"
        raise refused(path, [told], again)
    return found


def refused(path: Path, problems: Sequence[str], again: str) -> DdspecError:
    """Return what is said of a file of results that cannot be used."""
    place, hint = Place(str(path)), f"write it again with {again}"
    return DdspecError([Diagnostic(one, place, hint=hint) for one in problems], exit=Exit.INVALID)


def _evidence(
    document: str,
    whole: _Document | _Matrix,
    variant: str,
    results: Sequence[Row],
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
        scores=tuple(map(score_of, results)),
        cost=_cost(told.cost),
        costs={name: _cost(cost) for name, cost in told.costs.items()},
        missing=tuple(told.missing),
    )


def _cost(told: _Cost) -> Cost:
    return Cost(told.seconds, told.device, told.flops)


def score_of(row: Row) -> Score:
    """Return what a row says."""
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


def _rate(row: Row) -> Rate | None:
    if row.learning_rate is None or row.learned_rate is None:
        return None
    return Rate(row.learning_rate, row.learned_rate)


def _problem(path: tuple[int | str, ...], message: str) -> str:
    return f"`{'.'.join(map(str, path))}`: {message}" if path else message
