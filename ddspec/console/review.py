"""What a pull request does to specs, as values (`ddspec.review/1`).

Written by a job that may read the pull request, rendered by one that may write to the repository:
so whatever is read here was made by a stranger, and is held to sizes and characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.plan.category import Category
from ddspec.plan.diff import Status
from ddspec.visible import visible

REVIEW_FORMAT: Literal["ddspec.review/1"] = "ddspec.review/1"
MAX_BYTES = 8 * 2**20
MAX_REPORTS = 50
MAX_ROWS = 200
"""Rows of one table; what is left out is counted."""
LINE = 240
"""Longest text of one cell, in characters."""


OURS = ("presets/methods/", "presets/protocols/")
"""How files of this package are called in messages; no repository has them."""


def _visible(text: str) -> str:
    if text != visible(text):
        raise ValueError("a character that could steer a terminal or hide text")
    return text


ReportStatus: TypeAlias = Literal["changed", "same", "new", "deleted", "invalid"]
PlanFileState: TypeAlias = Literal["current", "stale", "missing", "unlocked"]
"""`unlocked`: it cannot be told, for the data have no lock."""
Line = Annotated[str, Field(max_length=LINE), AfterValidator(_visible)]
Number = Annotated[int, Field(ge=0, lt=2**63)]
Bytes = Annotated[int, Field(ge=0, lt=2**83)]
Seconds = Annotated[float, Field(ge=0)]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
Rows = Field(max_length=MAX_ROWS)


def line(text: object) -> str:
    """Return any text as a line that a review may hold: visible, cropped."""
    plain = visible(" ".join(str(text).split()))
    return plain if len(plain) <= LINE else f"{plain[: LINE - 1]}…"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class At(_Model):
    """Where something is written."""

    file: Line
    line: Number = 0
    """0 where only the file is known."""
    column: Number = 0
    inside: bool = True
    """Whether the file lies in the repository, and can be linked to."""


class Revision(_Model):
    """A side of the comparison."""

    name: Line
    commit: Hex | None = None
    """None for a working tree."""


class Cost(_Model):
    """What one plan takes; None where it is not known."""

    gpu_seconds: tuple[Seconds, Seconds] | None = None
    flops: Bytes | None = None
    memory_bytes: Bytes | None = None
    disk_bytes: Bytes | None = None


class Costs(_Model):
    """What both plans take, and what is new in the later one."""

    device: Line | None = None
    """What the hours are on."""
    before: Cost | None = None
    after: Cost | None = None
    new: Cost | None = None
    """Of the stages that the base does not make as they are."""


class SettingRow(_Model):
    """A setting that changed."""

    path: Line
    before: Line
    after: Line
    category: Category
    effect: Line
    before_at: At | None = None
    after_at: At | None = None
    variants: Number = 0
    """How many of a matrix; 0 without one."""


class StageRow(_Model):
    """Stages that changed alike."""

    status: Status
    label: Line
    stages: Number
    cause: Line


class VariantRows(_Model):
    """What happened to the variants of a matrix."""

    added: Annotated[tuple[Line, ...], Rows] = ()
    removed: Annotated[tuple[Line, ...], Rows] = ()
    changed: Annotated[tuple[Line, ...], Rows] = ()
    counts: Mapping[Literal["added", "removed", "changed", "same"], Number]


class DisagreementRow(_Model):
    """Where paper and code differ, and what the plan takes."""

    setting: Line
    paper: Line
    code: Line
    takes: Literal["paper", "code", "ours"]
    why: Line
    at: At | None = None
    overridden: bool = False


class ValueRow(_Model):
    """A resolved setting."""

    path: Line
    value: Line
    origin: Line


class Told(_Model):
    """A note or a problem."""

    message: Line
    hint: Line = ""
    code: Line = ""
    at: At | None = None


class PolicyRow(_Model):
    """What one rule of a policy says of the plan."""

    rule: Line
    outcome: Literal["pass", "warn", "deny"]
    message: Line


class PlanFile(_Model):
    """The committed plan of a spec."""

    path: Line
    state: PlanFileState
    reasons: Annotated[tuple[Line, ...], Rows] = ()


class Schedule(_Model):
    """How the perturbation schedules relate, in outer loops."""

    before: Number
    after: Number
    shared: Number


class Report(_Model):
    """What happens to one spec."""

    path: Line
    """From the root of the repository."""
    status: ReportStatus
    was: Line | None = None
    """Its path before, where it was renamed."""
    title: Line = ""
    category: Category = "cosmetic"
    moves: Category = "cosmetic"
    comparable: Mapping[
        Literal["protocol", "test set", "label kind", "networks", "budget"], bool
    ] = Field(default_factory=dict)
    plan_before: Hex | None = None
    plan_after: Hex | None = None
    plan_file: PlanFile | None = None
    policy: Annotated[tuple[PolicyRow, ...], Rows] = ()
    notes: Annotated[tuple[Told, ...], Rows] = ()
    drift: Annotated[tuple[Told, ...], Rows] = ()
    problems: Annotated[tuple[Told, ...], Rows] = ()
    """Why it is invalid."""
    costs: Costs = Field(default_factory=Costs)
    settings: Annotated[tuple[SettingRow, ...], Rows] = ()
    settings_changed: Number = 0
    """Also those that `settings` leaves out."""
    counts: Mapping[Status, Number] = Field(default_factory=dict)
    stages: Annotated[tuple[StageRow, ...], Rows] = ()
    groups: Number = 0
    """Rows of stages, also those that `stages` leaves out."""
    reused: Line = ""
    """What is reused, as a sentence."""
    schedule: Schedule | None = None
    variants: VariantRows | None = None
    disagreements: Annotated[tuple[DisagreementRow, ...], Rows] = ()
    values: Annotated[tuple[ValueRow, ...], Rows] = ()
    values_resolved: Number = 0
    """Also those that `values` leaves out."""


class Review(_Model):
    """What happens to all specs between two revisions."""

    format: Literal["ddspec.review/1"] = REVIEW_FORMAT
    base: Revision
    head: Revision
    reports: Annotated[tuple[Report, ...], Field(max_length=MAX_REPORTS)] = ()
    omitted: Number = 0
    """Specs that changed and have no report, because there are too many."""


def reviewed(review: Review, name: str, commit: str) -> Review:
    """Return the review as one of a commit that is known otherwise; ValueError if it is no id."""
    return review.model_copy(update={"head": Revision(name=name, commit=commit)})


def read_review(path: Path) -> Review:
    """Read a review that somebody else's job wrote.

    Raises `DdspecError` (invalid) with what is wrong first; nothing of the file is shown.
    """
    where = Place(visible(str(path)))
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        told = f"cannot be read: {error.strerror}"
        raise DdspecError([Diagnostic(told, where)], exit=Exit.INVALID) from None
    if len(data) > MAX_BYTES:
        told = f"larger than {MAX_BYTES // 2**20} MiB, which no review is"
        raise DdspecError([Diagnostic(told, where)], exit=Exit.INVALID)
    try:
        return Review.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        steps = ".".join(map(str, first["loc"]))
        told = f"no review: `{line(steps)}`: {line(first['msg'])}"
        raise DdspecError([Diagnostic(told, where)], exit=Exit.INVALID) from None
