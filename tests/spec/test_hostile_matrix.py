"""A matrix that was written to exhaust the planner is refused, or read soon."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ddspec.errors import DdspecError
from ddspec.spec.matrix import Combination, read_matrix
from ddspec.spec.nodes import MAX_PROBLEMS, compose
from ddspec.spec.source import Source

LONG = "x" * 100_000


def read(text: str) -> tuple[Combination, ...]:
    return read_matrix(compose(Source("x.yaml", text)).root)


def lines(each: Iterable[str]) -> str:
    return "".join(f"{one}\n" for one in each)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "a: {from: 0, to: 1.0e+18, step: 1.0e-18}\n",
            "1:4: more than 10,000 values; at most 10,000 variants",
            id="endless-range",
        ),
        pytest.param(
            "a: {from: 0, to: 1, step: 1.0e-300}\n",
            "1:4: more than 10,000 values; at most 10,000 variants",
            id="tiny-steps",
        ),
        pytest.param(
            "a: {from: 0, to: 1, step: 0.5e-9999999}\n",
            "1:4: a range goes upwards, by a step above 0",
            id="a-step-that-no-float-holds",
        ),
        pytest.param(
            "a: {from: 1.0e+300, to: 1.0e+300, step: 1}\n",
            "1:11: `from` of a range does not fit into 64 bits",
            id="an-integer-that-no-spec-holds",
        ),
        pytest.param(
            lines(f"a{i}: [1, 2, 3]" for i in range(9_900)),
            "1:1: more than 1,000,000,000,000 variants are more than the 10,000",
            id="a-number-of-thousands-of-digits",
        ),
        pytest.param(
            lines(f"a{i}: {{from: 0, to: 9999}}" for i in range(8_000)),
            "1:1: more than 1,000,000,000,000 variants are more than the 10,000",
            id="values-that-fill-memory",
        ),
        pytest.param(
            f"a: {{from: 1, to: 9999}}\nb: [{LONG}]\n",
            "1:1: the settings of all variants are larger than 16 MiB together",
            id="a-long-value-in-every-variant",
        ),
        pytest.param(
            lines(f"a{i}: [1]" for i in range(9_000)) + "b: {from: 1, to: 9999}\n",
            "1:1: the settings of all variants are larger than 16 MiB together",
            id="thousands-of-settings-in-every-variant",
        ),
        pytest.param(
            "include:\n- {name: x, a: &a " + LONG + "}\n"
            f"{lines(f'- {{name: x{i}, a: [*a, {i}]}}' for i in range(5_000))}",
            "1:1: the settings of all variants are larger than 16 MiB together",
            id="an-alias-of-a-long-value",
        ),
    ],
)
def test_what_would_exhaust_the_planner_is_refused(text: str, message: str) -> None:
    with pytest.raises(DdspecError) as caught:
        read(text)

    assert str(caught.value).startswith(f"x.yaml:{message}")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "include:\n" + lines(f"- {{name: a, seed: {i}}}" for i in range(8_000)), id="same-name"
        ),
        pytest.param(
            lines(f"aaaaaaaaaaaaaaaa{i}: [1]" for i in range(6_000))
            + "exclude:\n"
            + lines(f"- {{aaaaaaaaaaaaaaab{i}: 1}}" for i in range(5_000)),
            id="unknown-axes",
        ),
        pytest.param("exclude: [" + "1," * 9_000 + "]\na: [1, 2]\n", id="no-exclusions"),
    ],
)
def test_reading_stops_after_a_hundred_problems_and_tells_them_in_short(text: str) -> None:
    with pytest.raises(DdspecError) as caught:
        read(text)

    assert len(caught.value.diagnostics) == MAX_PROBLEMS
    assert len(str(caught.value)) < 200_000


def test_thousands_of_exclusions_leave_what_they_do_not_exclude() -> None:
    text = "a: {from: 0, to: 9999}\nexclude:\n" + lines(f"- {{a: {i}}}" for i in range(1, 9_999))

    assert [dict(one.settings) for one in read(text)] == [{"a": 0}, {"a": 9_999}]
