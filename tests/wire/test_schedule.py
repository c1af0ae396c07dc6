from __future__ import annotations

import hashlib
import json
import math
from collections import Counter

import pytest
from pydantic import ValidationError

from ddspec.spec.method import (
    FilterGaussianSpec,
    FixedCoefficientSpec,
    NoPerturbationSpec,
    UniformCoefficientSpec,
)
from ddspec.wire.schedule import Schedule

CODED = FilterGaussianSpec(
    kind="filter_gaussian",
    directions=2,
    coefficient=UniformCoefficientSpec(law="uniform_signed", low=0.01, high=0.09),
)
"""The perturbation of Acc-DD's official code."""
ROWS = 4_000


def schedule(seed: int = 0, members: int = 5) -> Schedule:
    return Schedule(seed=(seed, "schedule"), members=members, perturbation=CODED)


def test_the_table_is_the_same_on_every_machine() -> None:
    """A change of this digest changes every distillation: then raise the work's revision."""
    assert (
        schedule().digest(0, 400)
        == "34b39c6edcad4bd7ddc00c8e2c912f1be1625541367b4d5c09f05d00c89f4ba2"
    )


def test_rows_follow_from_counters_by_hand() -> None:
    def bits(*counter: int | str) -> int:
        text = json.dumps([0, "schedule", *counter], separators=(",", ":"))
        return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)

    for row in schedule().rows(0, 20):
        assert row.member == bits(row.loop, "member", 0) % 5
        for i in range(2):
            magnitude = 10_000_000 + bits(row.loop, "magnitude", i) % 80_000_001
            sign = -1 if bits(row.loop, "sign", i) % 2 else 1
            assert row.coefficients[i] == sign * magnitude
            assert row.directions[i] == bits(row.loop, "direction", i) // 2


@pytest.mark.parametrize("stop", [1, 7, 100])
def test_fewer_loops_are_a_prefix_of_more(stop: int) -> None:
    assert list(schedule().rows(0, 100))[:stop] == list(schedule().rows(0, stop))
    assert list(schedule().rows(0, 100))[stop:] == list(schedule().rows(stop, 100))


def test_other_seeds_and_loops_draw_other_rows() -> None:
    rows = [row for seed in range(3) for row in schedule(seed).rows(0, 100)]

    assert len({row.directions for row in rows}) == len(rows)
    assert len({direction for row in rows for direction in row.directions}) == 2 * len(rows)


def test_the_number_of_models_moves_no_coefficient() -> None:
    few, many = schedule(members=2).rows(0, 50), schedule(members=9).rows(0, 50)

    assert [row.coefficients for row in few] == [row.coefficients for row in many]


@pytest.mark.parametrize("members", [1, 2, 5, 10])
def test_members_are_drawn_evenly(members: int) -> None:
    counts = Counter(row.member for row in schedule(members=members).rows(0, ROWS))
    expected = ROWS / members
    statistic = sum((counts[i] - expected) ** 2 / expected for i in range(members))

    assert set(counts) == set(range(members))
    assert statistic < bound(members - 1)


def test_magnitudes_are_drawn_evenly_and_signs_fairly() -> None:
    values = [c for row in schedule().rows(0, ROWS) for c in row.coefficients]
    cells = Counter((abs(value) - 10_000_000) * 20 // 80_000_001 for value in values)
    expected = len(values) / 20
    statistic = sum((cells[i] - expected) ** 2 / expected for i in range(20))
    negative = sum(value < 0 for value in values)

    assert min(map(abs, values)) >= 10_000_000
    assert max(map(abs, values)) <= 90_000_000
    assert statistic < bound(19)
    # A fair coin: n/2 with a deviation of sqrt(n)/2.
    assert abs(negative - len(values) / 2) < 4 * math.sqrt(len(values)) / 2


def bound(degrees: int) -> float:
    """Return what chi-square exceeds with a probability of 3e-5.

    Four deviations by Wilson and Hilferty: its cube root over `degrees` is nearly normal with mean
    1 - 2 / (9 degrees) and variance 2 / (9 degrees). The draws are fixed, so this never flickers.
    """
    if degrees == 0:
        return 1e-9
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + 4 * math.sqrt(spread)) ** 3


@pytest.mark.parametrize(
    ("value", "nano"),
    [
        pytest.param(1.0, 10**9, id="the paper's alpha"),
        pytest.param(-0.05, -50_000_000, id="negative"),
        pytest.param(0.1 + 0.2, 300_000_000, id="decimal, not binary"),
        pytest.param(1.5e-9, 2, id="half to even, up"),
        pytest.param(2.5e-9, 2, id="half to even, down"),
    ],
)
def test_a_fixed_coefficient_is_every_direction_s(value: float, nano: int) -> None:
    law = FixedCoefficientSpec(law="fixed", value=value)
    fixed = FilterGaussianSpec(kind="filter_gaussian", directions=3, coefficient=law)
    rows = Schedule(seed=(0, "schedule"), members=1, perturbation=fixed).rows(0, 2)

    assert [row.coefficients for row in rows] == [(nano,) * 3] * 2


def test_without_perturbation_only_members_are_drawn() -> None:
    plain = Schedule(seed=(0, "schedule"), members=5, perturbation=NoPerturbationSpec())
    rows = list(plain.rows(0, 10))

    assert {(row.coefficients, row.directions) for row in rows} == {((), ())}
    assert [row.member for row in rows] == [row.member for row in schedule().rows(0, 10)]


def test_rows_of_an_image_have_different_members_and_begin_as_others_do() -> None:
    plain = Schedule(seed=(0, "schedule"), members=5, perturbation=NoPerturbationSpec())
    apart = plain.model_copy(update={"apart": 3})
    rows = [row.member for row in apart.rows(0, 300)]

    assert all(len({*rows[i : i + 3]}) == 3 for i in range(0, 300, 3))
    assert rows[::3] == [row.member for row in plain.rows(0, 300)][::3]


def test_more_different_members_than_there_are_is_an_error() -> None:
    with pytest.raises(ValidationError, match="4 rows cannot have different ones of 3"):
        Schedule(seed=(0,), members=3, perturbation=NoPerturbationSpec(), apart=4)
