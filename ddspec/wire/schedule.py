"""The perturbation schedule: which pool member each outer loop starts from, and how it is varied.

Every row is a function of (seed path, outer loop), drawn from SHA-256 in integers, so fewer loops
are a prefix of more and every machine draws the same. Planner and runner both call this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ddspec.canon import Digest, Json, canonical, digest
from ddspec.spec.method import (
    FixedCoefficientSpec,
    NoPerturbationSpec,
    PerturbationSpec,
)

Seed = tuple[int | str, ...]
"""A path of names and numbers; the only way to randomness anywhere in ddspec."""

NANO = 10**9


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One outer loop: the pool member, and for each direction its coefficient and seed.

    Where images are learned on several networks each, rows are those networks instead: with n an
    image, rows i * n to i * n + n - 1 are the networks of the i-th image of all classes.
    """

    loop: int
    """Number of the row."""
    member: int
    coefficients: tuple[int, ...]
    """Signed, in units of 1e-9 of a filter's norm."""
    directions: tuple[int, ...]
    """Seeds of the Gaussian directions, 63 bits each."""
    start: int | None = None
    """Epoch of an expert at which the student starts; None where none follows experts."""

    def plain(self) -> list[Json]:
        """Return the row as it is hashed and written."""
        row: list[Json] = [self.loop, self.member, list(self.coefficients), list(self.directions)]
        return row if self.start is None else [*row, self.start]


class Schedule(BaseModel):
    """The law of a schedule; `rows` draws any part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Seed
    members: Annotated[int, Field(ge=1)]
    perturbation: PerturbationSpec
    starts: Annotated[int, Field(ge=1)] | None = None
    """Epochs of an expert, 0 to `starts` - 1, of which each row has one."""
    apart: Annotated[int, Field(ge=2)] | None = None
    """So many rows each, from the first, have different members: the networks of one image."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.apart is not None and self.apart > self.members:
            raise ValueError(f"{self.apart} rows cannot have different ones of {self.members}")
        return self

    def row(self, loop: int) -> ScheduleRow:
        """Draw the row of one outer loop, counted from 0."""
        coefficients = self._coefficients(loop)
        return ScheduleRow(
            loop=loop,
            member=self._member(loop),
            coefficients=coefficients,
            directions=tuple(
                self._draw(loop, "direction", i) >> 1 for i in range(len(coefficients))
            ),
            start=None if self.starts is None else self._upto(self.starts, loop, "start"),
        )

    def rows(self, start: int, stop: int) -> Iterator[ScheduleRow]:
        """Draw the rows of outer loops start..stop-1."""
        return (self.row(loop) for loop in range(start, stop))

    def digest(self, start: int, stop: int) -> Digest:
        """Return the digest of the rows start..stop-1."""
        return _digest_of_rows(self, start, stop)

    def _coefficients(self, loop: int) -> tuple[int, ...]:
        if isinstance(self.perturbation, NoPerturbationSpec):
            return ()
        count, law = self.perturbation.directions, self.perturbation.coefficient
        if isinstance(law, FixedCoefficientSpec):
            return (_nano(law.value),) * count
        low, high = _nano(law.low), _nano(law.high)
        return tuple(
            (low + self._draw(loop, "magnitude", i) % (high - low + 1))
            * (1 - 2 * (self._draw(loop, "sign", i) & 1))
            for i in range(count)
        )

    def _member(self, loop: int) -> int:
        """Return the member of a row: any, or one that no row before it in its group has."""
        if self.apart is None:
            return self._upto(self.members, loop, "member")
        left = list(range(self.members))
        for earlier in range(loop - loop % self.apart, loop):
            del left[self._upto(len(left), earlier, "member")]
        return left[self._upto(len(left), loop, "member")]

    def _upto(self, count: int, loop: int, role: str) -> int:
        """Return a number below `count`; of one there is nothing to draw."""
        return self._draw(loop, role, 0) % count if count > 1 else 0

    def _draw(self, loop: int, role: str, index: int) -> int:
        """Return 64 uniform bits of the counter (seed, loop, role, index).

        Reducing them modulo n is biased by less than n / 2^64.
        """
        return _draw(self.seed, loop, role, index)


@lru_cache(maxsize=2**12)
def _digest_of_rows(schedule: Schedule, start: int, stop: int) -> Digest:
    return digest([row.plain() for row in schedule.rows(start, stop)])


@lru_cache(maxsize=2**15)
def _draw(seed: Seed, loop: int, role: str, index: int) -> int:
    """Return 64 bits; many variants of a spec ask for the same ones."""
    path = b'%s,%d,"%s",%d]' % (_opened(seed), loop, role.encode(), index)
    return int.from_bytes(hashlib.sha256(path).digest()[:8], "big")


@lru_cache(maxsize=2**10)
def _opened(seed: Seed) -> bytes:
    """Return the canonical form of a seed path without its last bracket, to be continued."""
    return canonical(list(seed))[:-1]


@lru_cache(maxsize=2**10)
def _nano(value: float) -> int:
    """Return a decimal number in units of 1e-9, rounded half to even, without float arithmetic."""
    return int((Decimal(repr(value)) * NANO).to_integral_value())
