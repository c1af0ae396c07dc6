"""Variables in locations are expanded once, by name, and never shown by value."""

from __future__ import annotations

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.spec.interpolate import expand_location


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        pytest.param("scans", "scans", id="plain"),
        pytest.param("${DDSPEC_A}/x", "one/x", id="one"),
        pytest.param("${DDSPEC_A}${DDSPEC_B}", "one${DDSPEC_A}", id="never-twice"),
        pytest.param("$DDSPEC_A", "$DDSPEC_A", id="without-braces"),
        pytest.param("${HOME}", "${HOME}", id="foreign"),
    ],
)
def test_our_variables_are_expanded(text: str, expanded: str) -> None:
    environ = {"DDSPEC_A": "one", "DDSPEC_B": "${DDSPEC_A}", "HOME": "secret"}

    assert expand_location(text, environ) == expanded


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(DdspecError) as raised:
        expand_location("${DDSPEC_A}/${DDSPEC_B}", {"DDSPEC_A": "secret"})

    assert raised.value.exit is Exit.UNABLE
    assert str(raised.value).startswith("`DDSPEC_B` is not set")
    assert "secret" not in str(raised.value)
