"""Plain scalars have the types of YAML 1.2's core schema, and only those."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddspec.spec.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("~", None, id="tilde"),
        pytest.param("Null", None, id="null"),
        pytest.param("true", True, id="true"),
        pytest.param("FALSE", False, id="false"),
        pytest.param("yes", "yes", id="yes-is-text"),
        pytest.param("on", "on", id="on-is-text"),
        pytest.param("nUll", "nUll", id="mixed-case-is-text"),
        pytest.param("0", 0, id="zero"),
        pytest.param("-12", -12, id="negative"),
        pytest.param("+12", 12, id="plus"),
        pytest.param("012", 12, id="leading-zero-is-decimal"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("-0x1F", "-0x1F", id="signed-hexadecimal-is-text"),
        pytest.param("1_000", "1_000", id="underscores-are-text"),
        pytest.param("1:30", "1:30", id="sexagesimal-is-text"),
        pytest.param("2020-01-01", "2020-01-01", id="date-is-text"),
        pytest.param("1e-3", 1e-3, id="exponent-without-point"),
        pytest.param("1.", 1.0, id="point-without-digits"),
        pytest.param(".5", 0.5, id="digits-after-point"),
        pytest.param("-1.5E+3", -1500.0, id="exponent-with-sign"),
        pytest.param(".", ".", id="a-point-is-text"),
        pytest.param("e5", "e5", id="bare-exponent-is-text"),
        pytest.param("1" * 18, int("1" * 18), id="eighteen-digits"),
        pytest.param("9223372036854775807", 2**63 - 1, id="largest-integer"),
        pytest.param("-9223372036854775808", -(2**63), id="smallest-integer"),
        pytest.param("nan", "nan", id="nan-without-point-is-text"),
        pytest.param("\u0661", "\u0661", id="arabic-digits-are-text"),
    ],
)
def test_plain_text_has_the_type_of_the_core_schema(text: str, value: object) -> None:
    found = resolve(text)

    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(".nan", "`.nan` is not a finite number", id="nan"),
        pytest.param("-.Inf", "`-.Inf` is not a finite number", id="infinity"),
        pytest.param("1e999", "`1e999` is not a finite number", id="overflow"),
        pytest.param(
            "9223372036854775808", "`9223372036854775808` does not fit into 64 bits", id="2^63"
        ),
        pytest.param(
            "0x8000000000000000", "`0x8000000000000000` does not fit into 64 bits", id="hex"
        ),
        pytest.param("7" * 5000, "a number of 5000 characters is too long", id="endless"),
        pytest.param(
            "0x" + "f" * 5000, "`0x" + "f" * 38 + "` does not fit into 64 bits", id="endless-hex"
        ),
    ],
)
def test_numbers_that_mean_nothing_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        resolve(text)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_survives_being_written(value: float) -> None:
    found = resolve(json.dumps(value))

    assert isinstance(found, float)
    assert math.copysign(1, found) == math.copysign(1, value)
    assert found == value
