"""What can be drawn: the figures of a question, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ddspec.canon import Json

MAX_POINTS = 1_000_000
MAX_SERIES = 24
"""More lines than that nobody tells apart."""
PROBLEMS_SHOWN = 6

Inches = Annotated[float, Field(ge=1, le=40)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Tick(_Model):
    """A mark of an axis with words of its own."""

    at: float
    label: str


class Axis(_Model):
    """What an axis shows."""

    label: str = ""
    log: bool = False
    """Logarithmic; zero has a place of its own at the end, and less is refused."""
    percent: bool = False
    """Values are fractions and shown as percentages."""
    ticks: list[Tick] | None = None
    """The marks, where the axis is of names rather than of numbers; by default it finds its own."""


class Reference(_Model):
    """A value to compare with, drawn across the figure."""

    name: str
    y: float


class Series(_Model):
    """Points that belong together; `low` and `high` are the ends of their intervals."""

    name: str
    x: list[float]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None
    points: bool = True
    """Mark each point, with a bar for its interval; otherwise a line, and a band."""
    labels: list[str] | None = None
    """Of a scatter: words beside each point."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        columns = {"x": self.x, "low": self.low, "high": self.high, "labels": self.labels}
        _require_lengths("y", self.y, columns)
        _require_intervals(self.y, self.low, self.high)
        return self


class Clustered(_Model):
    """Of bars: one value for each group; null where there is none."""

    name: str
    values: list[float | None]
    low: list[float | None] | None = None
    high: list[float | None] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require_lengths("values", self.values, {"low": self.low, "high": self.high})
        _require_intervals(self.values, self.low, self.high)
        return self


class Span(_Model):
    """A stretch of a timeline."""

    row: str
    start: float
    stop: float
    group: str = ""
    """Spans of one group look alike."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.stop < self.start:
            raise ValueError(f"it stops at {self.stop:g}, before it starts at {self.start:g}")
        return self


class Framed(_Model):
    """What all figures have."""

    title: str = ""
    note: str = ""
    """Small print below the title: how values were measured."""
    width: Inches = 5.4
    height: Inches | None = None
    """Without title and legend, which come on top; by default what the figure needs."""


class Plane(Framed):
    """Values over a quantity."""

    x: Axis
    y: Axis
    series: Annotated[list[Series], Field(max_length=MAX_SERIES)]
    references: list[Reference] = []

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require_scale(self.x, self.y, self.series, self.references)
        return self


class Line(Plane):
    """Series joined by lines; those of very many points are thinned to what can be seen."""

    kind: Literal["line"]


class Scatter(Plane):
    """Points by two quantities, with words beside them."""

    kind: Literal["scatter"]


class Bars(Framed):
    """A bar of each series in each group."""

    kind: Literal["bars"]
    x: Axis = Axis()
    y: Axis
    groups: Annotated[list[str], Field(min_length=1, max_length=200)]
    series: Annotated[list[Clustered], Field(min_length=1, max_length=MAX_SERIES)]
    references: list[Reference] = []

    @model_validator(mode="after")
    def _check(self) -> Self:
        for one in self.series:
            if len(one.values) != len(self.groups):
                raise ValueError(
                    f"{len(self.groups)} groups, and {len(one.values)} values in `{one.name}`"
                )
        if self.y.log:
            raise ValueError("bars begin at zero, which no logarithmic axis has")
        return self


class Heat(Framed):
    """A matrix as colours, the first row at the top; null where there is no value."""

    kind: Literal["heat"]
    rows: Annotated[list[str], Field(min_length=1, max_length=2000)]
    columns: Annotated[list[str], Field(min_length=1, max_length=2000)]
    values: list[list[float | None]]
    x: Axis = Axis()
    y: Axis = Axis()
    value: Axis = Axis()
    """What the colours show."""
    limits: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """Values of the first and the last colour; by default the least and the greatest there is."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.values) != len(self.rows):
            raise ValueError(f"{len(self.rows)} rows are named, and there are {len(self.values)}")
        for name, row in zip(self.rows, self.values, strict=True):
            if len(row) != len(self.columns):
                raise ValueError(f"{len(self.columns)} columns, and {len(row)} values in `{name}`")
        return self


class Timeline(Framed):
    """What went on when: one line a row, in the order in which rows are first named."""

    kind: Literal["timeline"]
    spans: Annotated[list[Span], Field(min_length=1, max_length=20_000)]
    x: Axis = Axis()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.x.log:
            raise ValueError("time has no logarithmic axis")
        return self


Figure = Annotated[Line | Scatter | Bars | Heat | Timeline, Field(discriminator="kind")]


class Question(_Model):
    """Figures, and the form in which they are wanted."""

    format: Literal["svg", "png"]
    figures: list[Figure]
    dpi: Annotated[int, Field(ge=36, le=600)] = 200
    """Of PNG: pixels to an inch."""


def question_of(value: Json) -> Question:
    """Return a question as it was asked; raises ValueError with each problem and its place."""
    try:
        return Question.model_validate(value)
    except ValidationError as error:
        found = [(one["loc"], one["msg"]) for one in error.errors()]
        told = [f"{_place(place)}: {message}" for place, message in found[:PROBLEMS_SHOWN]]
        raise ValueError("no such figure can be drawn\n" + "\n".join(told)) from None


def _place(path: Sequence[int | str]) -> str:
    return f"`{'.'.join(map(str, path))}`" if path else "the question"


def _require_lengths(
    name: str, column: Sequence[object], others: Mapping[str, Sequence[object] | None]
) -> None:
    if len(column) > MAX_POINTS:
        raise ValueError(f"more than {MAX_POINTS:,} points")
    for other, values in others.items():
        if values is not None and len(values) != len(column):
            raise ValueError(f"{len(column)} `{name}` and {len(values)} `{other}`")


def _require_intervals(
    values: Sequence[float | None],
    low: Sequence[float | None] | None,
    high: Sequence[float | None] | None,
) -> None:
    if (low is None) != (high is None):
        raise ValueError("an interval has both ends, `low` and `high`")
    if low is None or high is None:
        return
    for row in zip(low, values, high, strict=True):
        told = [one for one in row if one is not None]
        if any(before > after for before, after in pairwise(told)):
            raise ValueError(f"{row[1]} is not between {row[0]} and {row[2]}")


def _require_scale(
    x: Axis, y: Axis, series: Sequence[Series], references: Sequence[Reference]
) -> None:
    for axis, values in (
        (x, [one for each in series for one in each.x]),
        (y, [one for each in series for one in (*each.y, *(each.low or ()))]),
        (y, [one.y for one in references]),
    ):
        if axis.log and min(values, default=0.0) < 0:
            raise ValueError(f"a logarithmic axis has no {min(values):g}")
