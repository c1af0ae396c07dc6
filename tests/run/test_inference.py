"""What is asked of statistics, and what is made of the answer."""

from __future__ import annotations

from typing import Any

import pytest

from ddspec.canon import Json
from ddspec.run.inference import Inferences, infer
from ddspec.run.pairs import Pair, Unlike
from ddspec.run.scores import Score

UNLIKE = (Unlike("protocol", "idc", "dsa"),)


def pair(*accuracies: float, keys: tuple[str, ...] = (), unlike: tuple[Unlike, ...] = ()) -> Pair:
    """Return a pair whose side before has accuracies around a half."""
    before = Score("random", "convnet3", "idc", "test", (0.5, 0.51, 0.49), 3, keys[:1])
    after = Score("random", "convnet3", "idc", "test", accuracies, len(accuracies), keys[1:])
    return Pair("", (before,), (after,), unlike)


class Asked:
    """Statistics that answer from the real tool, and remember what they were asked."""

    def __init__(self) -> None:
        self.questions: list[Any] = []

    def __call__(self, tool: str, question: Json) -> Json:
        from ddspec_analysis.tools import tool as real

        self.questions.append(question)
        return real(tool)(question)


def test_accuracies_are_asked_about_and_answers_come_in_order() -> None:
    asked = Asked()

    found = infer([pair(0.7, 0.71, 0.72), pair(0.3, 0.31, 0.32), pair(0.5, 0.6)], ask=asked)

    assert [one and one.verdict for one in found.found] == ["ahead", "behind", "cannot tell"]
    assert found.corrected_over == 3
    (question,) = asked.questions
    assert question["comparisons"][0] == {
        "before": [[0.5, 0.51, 0.49]],
        "after": [[0.7, 0.71, 0.72]],
        "same": False,
    }


def test_what_stands_in_several_rows_is_one_test() -> None:
    row = pair(0.7, 0.71, 0.72, keys=("a", "b"))

    found = infer([row, row, pair(0.7, 0.71)], ask=Asked())

    assert found.corrected_over == 2
    assert found.found[0] == found.found[1]


def test_what_does_not_compare_is_not_asked_about_unless_forced() -> None:
    rows = [pair(0.7, 0.71, unlike=UNLIKE), pair(0.7, 0.71)]

    found, forced = infer(rows, ask=Asked()), infer(rows, force=True, ask=Asked())

    assert [one is None for one in found.found] == [True, False]
    assert [one is None for one in forced.found] == [False, False]
    assert (found.corrected_over, forced.corrected_over) == (1, 2)


@pytest.mark.parametrize("rows", [[], [pair(0.7, unlike=UNLIKE)]], ids=["none", "none-alike"])
def test_nothing_to_compare_asks_nobody(rows: list[Pair]) -> None:
    asked = Asked()

    assert infer(rows, ask=asked) == Inferences((None,) * len(rows), 0)
    assert asked.questions == []


def test_shared_evaluations_are_the_same_runs() -> None:
    found = infer([pair(0.5, 0.51, keys=("a", "a"))], ask=Asked())

    (one,) = found.found
    assert one is not None
    assert (one.verdict, one.p) == ("same runs", None)


def test_what_would_tell_is_told_with_its_size() -> None:
    (one,) = infer([pair(0.49, 0.53, 0.49)], ask=Asked()).found

    assert one is not None
    assert one.more is not None
    assert (one.more.what, one.more.size) == ("repeats", 0.01)


def test_the_process_answers_too() -> None:
    (one,) = infer([pair(0.7, 0.71, 0.72)]).found

    assert one is not None
    assert (one.verdict, one.test, one.of) == ("ahead", "welch", "sets")
