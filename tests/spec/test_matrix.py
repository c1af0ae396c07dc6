"""`matrix:`: which variants it spans, what they are called, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddspec.errors import DdspecError
from ddspec.spec.matrix import Combination, read_matrix
from ddspec.spec.nodes import compose
from ddspec.spec.source import Source
from ddspec.spec.variant_names import NAME


def read(text: str) -> tuple[Combination, ...]:
    """Return the variants of a document that is a matrix."""
    document = compose(Source("x.yaml", text))
    return read_matrix(document.root)


def refused(text: str) -> list[str]:
    """Return the problems of a matrix, each with its line and column."""
    with pytest.raises(DdspecError) as caught:
        read(text)
    return [str(problem).splitlines()[0] for problem in caught.value.diagnostics]


def settings(text: str) -> list[dict[str, Any]]:
    return [dict(one.settings) for one in read(text)]


def test_axes_span_every_combination_the_first_of_the_spec_varying_slowest() -> None:
    text = "pool.epochs: [0, 2]\nbudget.images_per_class: [1, 10]\n"

    assert [(one.name, dict(one.settings)) for one in read(text)] == [
        ("ipc-1-epochs-0", {"budget.images_per_class": 1, "pool.epochs": 0}),
        ("ipc-1-epochs-2", {"budget.images_per_class": 1, "pool.epochs": 2}),
        ("ipc-10-epochs-0", {"budget.images_per_class": 10, "pool.epochs": 0}),
        ("ipc-10-epochs-2", {"budget.images_per_class": 10, "pool.epochs": 2}),
    ]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        pytest.param("{from: 0, to: 10, step: 2}", [0, 2, 4, 6, 8, 10], id="integers"),
        pytest.param("{from: 1, to: 3}", [1, 2, 3], id="step of 1"),
        pytest.param("{from: 0.1, to: 0.3, step: 0.1}", [0.1, 0.2, 0.3], id="tenths"),
        pytest.param("{from: 1e-3, to: 2e-3, step: 5e-4}", [0.001, 0.0015, 0.002], id="exponents"),
        pytest.param("{from: 5, to: 5, step: 3}", [5], id="a single point"),
    ],
)
def test_ranges_are_closed_and_exact(written: str, values: list[float]) -> None:
    found = [one["a.b"] for one in settings(f"a.b: {written}\n")]

    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("preset: [dc, dsa]\n", ["dc", "dsa"], id="texts speak for themselves"),
        pytest.param("a.rate: [0.03, 1e-3]\n", ["rate-0_03", "rate-0_001"], id="decimals"),
        pytest.param("a.low: [-1, 1.0]\n", ["low-m1", "low-1"], id="signs"),
        pytest.param("a.b: [true, null]\n", ["b-on", "b-none"], id="words of YAML"),
        pytest.param(
            "a.c: [{law: fixed, value: 1.0}, {law: fixed, value: 4}]\n",
            ["c-fixed-1", "c-fixed-4"],
            id="sections",
        ),
        pytest.param("a.c: {as: k, values: [1, 2]}\n", ["k-1", "k-2"], id="a word of one's own"),
        pytest.param(
            "a.c: {values: {small: 1, large: 2}}\n", ["large", "small"], id="named values"
        ),
        pytest.param(
            "pool.epochs: [1]\nevaluate.epochs: [2]\n",
            ["pool_epochs-1-evaluate_epochs-2"],
            id="last parts that are the same",
        ),
        pytest.param("a.b: ['é', 'ü']\n", ["b-1", "b-2"], id="nothing readable"),
        pytest.param("a.b: ['0.5', '0_5']\n", ["b-1", "b-2"], id="values that read the same"),
        pytest.param(
            "variants: {slow: {a.b: 2}, fast: {a.b: 1, a.c: 1}}\n",
            ["fast", "slow"],
            id="named variants",
        ),
        pytest.param(
            "include: [{name: paper, a.b: 1}, {a.b: 2}]\n", ["paper", "b-2"], id="inclusions"
        ),
    ],
)
def test_variants_have_short_names(text: str, names: list[str]) -> None:
    assert [one.name for one in read(text)] == names


def test_names_that_would_be_too_long_are_cut_and_stay_apart() -> None:
    axes = "".join(f"section.quite_a_long_setting_{i}: [1, 2]\n" for i in range(5))
    names = [one.name for one in read(axes)]

    assert len(set(names)) == 32
    assert all(NAME.fullmatch(name) for name in names)


def test_exclusions_take_out_what_has_all_their_values() -> None:
    text = "a.x: [1, 2]\na.y: [1, 2, 3]\nexclude: [{a.x: 1, a.y: [1, 2]}, {a.y: 3, a.x: 2}]\n"

    assert [one.name for one in read(text)] == ["x-1-y-3", "x-2-y-1", "x-2-y-2"]


def test_an_exclusion_speaks_of_named_variants_and_values_by_their_names() -> None:
    text = (
        "a.x: {values: {low: 0.1, high: 0.9}}\n"
        "variants: {fast: {b.y: 1}, slow: {b.y: 2}}\n"
        "exclude: [{variants: fast, a.x: 0.9}]\n"
    )

    assert [one.name for one in read(text)] == ["high-slow", "low-fast", "low-slow"]


def test_the_overrides_lie_where_the_matrix_says_them() -> None:
    document = compose(Source("x.yaml", "budget.images_per_class: [1, 10]\npool.epochs: [3]\n"))
    second = read_matrix(document.root)[1].overrides

    assert second.value == {"budget": {"images_per_class": 10}, "pool": {"epochs": 3}}
    budget = second.children["budget"]
    assert document.source.text[slice(*budget.children["images_per_class"].span)] == "10"
    assert (
        document.source.text[slice(*budget.keys["images_per_class"])] == "budget.images_per_class"
    )


LINES = [
    "budget.images_per_class: [1, 10]",
    "pool.epochs: {from: 0, to: 4, step: 2}",
    "a.b: [x, y]",
    "variants: {one: {c.d: 1, c.e: 2}, two: {c.e: 3}}",
    "exclude: [{a.b: x, pool.epochs: 0}]",
]


@given(st.permutations(LINES))
def test_the_order_of_keys_changes_nothing(shuffled: list[str]) -> None:
    def plain(text: str) -> list[tuple[str, list[tuple[str, Any]], Any]]:
        found = read(text)
        return [(one.name, list(one.settings.items()), one.overrides.value) for one in found]

    assert plain("\n".join(shuffled)) == plain("\n".join(LINES))


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param("[1]\n", ["1:1: `matrix` must be a section of axes"], id="no section"),
        pytest.param("{}\n", ["1:1: a matrix without an axis"], id="no axis"),
        pytest.param("a.b: []\n", ["1:1: axis `a.b` has no value"], id="empty axis"),
        pytest.param(
            "a.b: 3\n",
            ["1:6: axis `a.b` must be a list, a range, or `values` with names"],
            id="a value alone",
        ),
        pytest.param("a..b: [1]\n", ["1:1: `a..b` is no dotted path of a setting"], id="no path"),
        pytest.param(
            "name: [a, b]\n",
            ["1:1: `name` is the same for all variants of a matrix"],
            id="what variants share",
        ),
        pytest.param("a.b: [1, 1.0]\n", ["1:10: this value is there twice"], id="a value twice"),
        pytest.param(
            "pool: [{kind: a}]\npool.epochs: [1]\n",
            ["2:1: `pool.epochs` lies within another axis, on line 1"],
            id="an axis within an axis",
        ),
        pytest.param(
            "variants:\n  x: {a: {b: 1}}\n  y: {a.b: 2}\n",
            ["3:7: `a.b` lies within `a`, on line 2"],
            id="a variant that sets a section, and one that sets a part of it",
        ),
        pytest.param(
            "a.b: [1]\nvariants: {x: {a.b: 2}}\n",
            ["2:16: `a.b` is set by another axis, on line 1"],
            id="an axis twice",
        ),
        pytest.param(
            "a.b: {from: 0, to: 10, step: 3}\n",
            ["1:6: this range does not reach 10"],
            id="an end between steps",
        ),
        pytest.param(
            "a.b: {from: 1, to: 0, step: 1}\n",
            ["1:6: a range goes upwards, by a step above 0"],
            id="downwards",
        ),
        pytest.param(
            "a.b: {from: x, to: 1, stop: 2}\n",
            ["1:23: unknown key `stop` of a range", "1:13: `from` of a range must be a number"],
            id="a range of text",
        ),
        pytest.param(
            "a.b: {from: 0, to: 1e9, step: 0.5}\n",
            ["1:6: 2,000,000,001 values; at most 10,000 variants"],
            id="a range without end",
        ),
        pytest.param(
            "a.b: {from: 1, to: 200}\na.c: {from: 1, to: 200}\n",
            ["1:1: 40,000 variants are more than the 10,000 that a spec may have"],
            id="too many",
        ),
        pytest.param(
            "a.b: [1, 2]\nexclude: [{a.c: 1}]\n",
            ["2:12: `a.c` is no axis of the matrix"],
            id="exclusion of no axis",
        ),
        pytest.param(
            "a.b: [1]\nexclude: [{a.b: 1}]\n",
            ["1:1: every variant is excluded"],
            id="everything excluded",
        ),
        pytest.param(
            "a.b: [1, 2]\nexclude: [{a.b: 3}]\n",
            ["2:17: `a.b` never has this value in the matrix"],
            id="exclusion of no value",
        ),
        pytest.param(
            "a.b: [1]\nexclude: [{a.b: 1}, {a.b: 1}]\ninclude: [{a.b: 2}]\n",
            [],
            id="two exclusions of the same",
        ),
        pytest.param(
            "a.b: [1, 2]\ninclude: [{name: again, a.b: 2}]\n",
            ["2:11: `again` sets what `b-2` sets already"],
            id="a variant twice",
        ),
        pytest.param(
            "a.b: [1, 2]\ninclude: [{name: b-2, a.c: 2}]\n",
            ["2:11: two variants are called `b-2`"],
            id="a name twice",
        ),
        pytest.param(
            "variants: {Fast: {a.b: 1}, slow: 3}\n",
            [
                "1:12: `Fast` cannot be the name of a variant",
                "1:34: variant `slow` must be a section",
            ],
            id="a name that is none",
        ),
        pytest.param("include: {a.b: 1}\n", ["1:1: `include` must be a list of sections"], id="i"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, problems: list[str]) -> None:
    if not problems:
        assert read(text)
        return

    assert refused(text) == [f"x.yaml:{problem}" for problem in problems]


def test_an_unknown_axis_of_an_exclusion_is_told_with_what_was_meant() -> None:
    with pytest.raises(DdspecError, match=r"did you mean `pool\.epochs`"):
        read("pool.epochs: [1, 2]\nexclude: [{pool.epoch: 1}]\n")
