"""Published rows counted by where they were published."""

from __future__ import annotations

import pytest

from ddspec.run.tally import place_of


@pytest.mark.parametrize(
    ("source", "place"),
    [
        pytest.param("A (X 2020), Table 1", ("A (X 2020)", "Table 1"), id="a table"),
        pytest.param("A, Table 1, CIFAR-10", ("A", "Table 1, CIFAR-10"), id="a part of one"),
        pytest.param("A, Fig. 6: similar to 5", ("A", "Fig. 6"), id="a remark"),
        pytest.param("a letter", ("a letter", ""), id="no table"),
    ],
)
def test_a_source_is_a_publication_and_a_table(source: str, place: tuple[str, str]) -> None:
    assert place_of(source) == place
