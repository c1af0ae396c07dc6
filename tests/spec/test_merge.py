"""Layers lie over each other key by key, and every value keeps its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddspec.canon import Json
from ddspec.spec.experiment import Experiment
from ddspec.spec.merge import UNWRITTEN, made, merge, only, without
from ddspec.spec.nodes import Node, compose
from ddspec.spec.source import Source


def tree(text: str, file: str = "x.yaml") -> Node:
    return compose(Source(file, text)).root


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        pytest.param("{a: 1}", "{b: 2}", {"a": 1, "b": 2}, id="keys-add-up"),
        pytest.param("{a: 1}", "{a: 2}", {"a": 2}, id="scalar-replaces"),
        pytest.param("{a: [1, 2]}", "{a: [3]}", {"a": [3]}, id="list-replaces"),
        pytest.param("{a: {b: 1}}", "{a: null}", {"a": None}, id="null-replaces"),
        pytest.param("{a: {b: 1}}", "{a: {c: 2}}", {"a": {"b": 1, "c": 2}}, id="deep"),
        pytest.param("{a: 1}", "{a: {b: 1}}", {"a": {"b": 1}}, id="section-over-scalar"),
        pytest.param(
            "{a: {kind: x, b: 1}}", "{a: {kind: y}}", {"a": {"kind": "y"}}, id="another-kind"
        ),
        pytest.param("{a: {law: x, b: 1}}", "{a: {law: y}}", {"a": {"law": "y"}}, id="another-law"),
        pytest.param(
            "{a: {kind: x, b: 1}}",
            "{a: {kind: x, c: 2}}",
            {"a": {"kind": "x", "b": 1, "c": 2}},
            id="same-kind",
        ),
        pytest.param(
            "{a: {b: 1}}", "{a: {kind: x}}", {"a": {"b": 1, "kind": "x"}}, id="kind-said-later"
        ),
        pytest.param(
            "{optimizer: {momentum: 0.5}}",
            "{optimizer: {kind: adam}}",
            {"optimizer": {"kind": "adam"}},
            id="unwritten-kind-is-another",
        ),
        pytest.param(
            "{optimizer: {momentum: 0.5}}",
            "{optimizer: {kind: sgd}}",
            {"optimizer": {"momentum": 0.5, "kind": "sgd"}},
            id="unwritten-kind-is-the-same",
        ),
    ],
)
def test_layers_merge(lower: str, upper: str, expected: Json) -> None:
    assert merge(tree(lower), tree(upper)).value == expected


@pytest.mark.parametrize("stay", [False, True], ids=["moved", "staying"])
def test_values_and_names_keep_their_places(stay: bool) -> None:
    lower = tree("a:\n  b: 1\n  c: 2\n", "low.yaml")
    upper = tree("# higher\n\na: {c: 3, d: 4}\n", "up.yaml")

    section = merge(lower, upper, stay=stay).children["a"]

    places = {
        key: (node.source.file, node.source.place(*section.keys[key]).line)
        for key, node in section.children.items()
    }
    assert places == {"b": ("low.yaml", 2), "c": ("up.yaml", 3), "d": ("up.yaml", 3)}
    assert section.source.file == ("low.yaml" if stay else "up.yaml")


def test_what_is_not_touched_is_shared() -> None:
    lower = tree("{a: {b: 1}, c: {d: 2}}")

    merged = merge(lower, tree("{c: {d: 3}}"))

    assert merged.children["a"] is lower.children["a"]


def test_unsound_values_stay_unsound() -> None:
    lower = tree("{a: {b: !!int 1}}")

    merged = merge(lower, tree("{a: {c: 1}}"))

    assert not merged.children["a"].children["b"].sound


def test_a_section_can_lose_or_keep_keys() -> None:
    whole = tree("{a: 1, b: 2, c: 3}")

    assert without(whole, ("a", "z")).value == {"b": 2, "c": 3}
    assert only(whole, ("a", "z")).value == {"a": 1}
    assert without(whole, ("z",)) is whole


@pytest.mark.parametrize("name", UNWRITTEN)
def test_kinds_that_need_not_be_written_are_those_of_the_models(name: str) -> None:
    section = {"decay": {}, "optimizer": {}, "update": {"learning_rate": 0.1}}[name]
    spec = {
        "update": {"learning_rate": 0.1},
        "pool": {"kind": "recorded", "decay": {}, "optimizer": {}},
    }
    holder = spec if name in spec else spec["pool"]
    holder[name] = {**section, "kind": UNWRITTEN[name]}
    rest = {
        "name": "x",
        "dataset": {"kind": "digits"},
        "budget": {"images_per_class": 1},
        "network": {"kind": "convnet"},
        "inner": {"kind": "frozen"},
        "matcher": {"kind": "gradient", "distance": "l1"},
        "loops": {"outer_loops": 1, "inner_steps": 1},
        "evaluate": {"protocol": "idc"},
    }

    said = Experiment.model_validate({**rest, **spec})
    holder[name] = section
    unsaid = Experiment.model_validate({**rest, **spec})

    assert said == unsaid


PLAIN = st.recursive(
    st.integers(0, 2) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "kind", "law", "optimizer"]), inner)
    ),
    max_leaves=8,
)
SECTIONS = st.dictionaries(st.sampled_from(["a", "b", "kind", "optimizer"]), PLAIN)


@given(SECTIONS, SECTIONS, st.booleans())
def test_the_value_of_a_merged_tree_is_that_of_its_parts(
    lower: dict[str, Json], upper: dict[str, Json], stay: bool
) -> None:
    below, above = tree(json.dumps(lower), "low.yaml"), tree(json.dumps(upper), "up.yaml")

    merged = merge(below, above, stay=stay)

    assert _rebuilt(merged) == merged.value
    assert merged.value == _naive(lower, upper)
    assert _size(merged) == merged.size


@given(PLAIN)
def test_a_made_tree_stands_for_its_value(value: Json) -> None:
    near = tree("{a: 1}").children["a"]

    node = made(value, near)

    assert _rebuilt(node) == node.value == value
    assert node.span == near.span


def _rebuilt(node: Node) -> Json:
    """Return the value of a tree from its leaves; every name must lie in its value's text."""
    if isinstance(node.value, dict):
        assert set(node.keys) == set(node.children)
        return {str(key): _rebuilt(child) for key, child in node.children.items()}
    if isinstance(node.value, list):
        return [_rebuilt(child) for child in node.children.values()]
    return node.value


def _size(node: Node) -> int:
    return 1 + len(node.keys) + sum(map(_size, node.children.values()))


def _naive(lower: Json, upper: Json, name: str = "") -> Json:
    """Return what the rules say of plain values, written from their words."""
    if not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    for tag in ("kind", "law"):
        implied = {"optimizer": "sgd"}.get(name) if tag == "kind" else None
        said_below = lower.get(tag, implied) if tag in lower or implied else upper.get(tag)
        if tag in upper and upper[tag] != said_below:
            return upper
    keys = [*lower, *(key for key in upper if key not in lower)]
    return {
        key: _naive(lower[key], upper[key], key)
        if key in lower and key in upper
        else upper.get(key, lower.get(key))
        for key in keys
    }
