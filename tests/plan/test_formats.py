"""Plan files of other versions: older are read, additions left out, the unknown is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddspec.canon import digest
from ddspec.errors import DdspecError, Exit
from ddspec.plan.blocks import emit, parse
from ddspec.plan.deltas import applied, common, delta
from ddspec.plan.ir import Plan
from ddspec.plan.labels import folded, unfolded
from ddspec.plan.text import MINOR, dump_plan, load_plan

OLD = Path(__file__).with_name("formats") / "digits.1-0.plan.yaml"
HEAD = ("format", "minor", "plan", "checksum")

Specified = Callable[[str], Plan]


def later(text: str, change: Callable[[dict[str, Any]], object], minor: int = MINOR + 1) -> str:
    """Return a plan file as a later version might write it."""
    document: dict[str, Any] = dict(parse(text, "x"))
    change(document)
    body = {key: value for key, value in document.items() if key not in HEAD}
    return emit({**document, "minor": minor, "checksum": digest(body)})


def test_a_plan_file_without_a_minor_version_is_read(specified: Specified) -> None:
    assert load_plan(OLD.read_text(encoding="utf-8"), "x")[0] == specified("digits")


@pytest.mark.parametrize("name", ["digits", "ablations/models"])
def test_what_a_later_version_adds_is_left_out(specified: Specified, name: str) -> None:
    plan = specified(name)

    def add(document: dict[str, Any]) -> None:
        document["weather"] = {"rain": True}
        document["data"]["colour"] = "blue"
        document["stages"][0]["mood"] = "good"

    assert load_plan(later(dump_plan(plan), add), "x")[0] == plan


@pytest.mark.parametrize("name", ["digits", "ablations/models"])
def test_what_a_later_version_asks_of_a_work_is_refused_by_name(
    specified: Specified, name: str
) -> None:
    def add(document: dict[str, Any]) -> None:
        document["works"]["pretrain"]["mood"] = "good"

    with pytest.raises(DdspecError, match=rf"1\.{MINOR + 1}.*mood") as caught:
        load_plan(later(dump_plan(specified(name)), add), "x")

    assert caught.value.exit is Exit.CHANGED


def test_a_newer_major_version_is_refused(specified: Specified) -> None:
    text = dump_plan(specified("digits")).replace("ddspec.plan/1", "ddspec.plan/2")

    with pytest.raises(DdspecError, match="another version"):
        load_plan(text, "x")


LEAVES = st.none() | st.integers(0, 3) | st.sampled_from(["a", "b"]) | st.lists(st.integers(0, 2))
NAMES = st.sampled_from(["kind", "law", "one", "two", "three"])
DOCUMENTS = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=4),
    lambda inner: st.dictionaries(NAMES, LEAVES | inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS, DOCUMENTS)
def test_a_delta_leads_from_one_document_to_the_other(
    base: dict[str, Any], own: dict[str, Any]
) -> None:
    assert applied(base, *delta(base, own)) == own


@given(st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_what_documents_have_in_common_is_in_each(documents: list[dict[str, Any]]) -> None:
    shared = common(documents)

    for document in documents:
        found = delta(shared, document)
        assert found.gone == []
        assert applied(shared, found.changes) == document


@given(
    st.lists(
        st.builds(
            lambda stem, number, variant: stem + number + variant,
            st.sampled_from(["pool", "evaluate/a", "select/random"]),
            st.integers(0, 12).map(lambda number: f"/{number}"),
            st.sampled_from(["", "@one", "@two"]),
        ),
        unique=True,
    )
)
def test_folded_labels_unfold_to_what_they_were(labels: list[str]) -> None:
    assert [one for label in folded(labels) for one in unfolded(label, 100)] == labels


def test_a_label_does_not_unfold_to_more_than_there_can_be() -> None:
    with pytest.raises(ValueError, match="more stages than there are"):
        unfolded("pool/0..999999999", 10)
