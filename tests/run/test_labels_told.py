"""Expectations say which labels networks learned from, where they are not hard."""

from __future__ import annotations

import pytest

from ddspec.run.judgement import Judgement, Verdict
from ddspec.run.scores import Score
from ddspec.run.verification import Claim
from ddspec.spec.experiment import ExpectSpec


def claim(labels: str, other: str | None = None, reported: str | None = None) -> Claim:
    beside = None
    if other is not None:
        beside = Score("distilled", "convnet3", "p", "test", (0.5,), planned=1, labels=other)
    return Claim(
        variant="a",
        expected=ExpectSpec(accuracy=0.5, source="a paper"),
        set="distilled",
        network="convnet3",
        protocol="p",
        on="test",
        planned=1,
        reported=reported,
        measured=None,
        sample=None,
        other=beside,
        judgement=Judgement(Verdict.NOT_RUN),
        labels=labels,
    )


@pytest.mark.parametrize(
    ("found", "note"),
    [
        pytest.param(claim("hard"), None, id="hard"),
        pytest.param(claim("hard", "hard"), None, id="both-hard"),
        pytest.param(claim("soft"), "with soft labels", id="soft"),
        pytest.param(claim("soft", "soft"), "with soft labels", id="both-soft"),
        pytest.param(
            claim("soft", "hard"),
            "with soft labels, what it is to be above with hard ones",
            id="soft-above-hard",
        ),
        pytest.param(
            claim("hard", "expert"),
            "with hard labels, what it is to be above with expert ones",
            id="hard-above-soft",
        ),
    ],
)
def test_labels_are_told_where_they_are_not_hard_on_both_sides(
    found: Claim, note: str | None
) -> None:
    assert found.note == note
    assert found.plain()["labels"] == found.labels


def test_labels_stand_beside_how_a_paper_counts() -> None:
    note = claim("soft", reported="best_on_test").note

    assert note is not None
    assert note.startswith("the paper reports ")
    assert note.endswith("; with soft labels")
