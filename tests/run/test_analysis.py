from __future__ import annotations

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.run import analysis
from ddspec.run.analysis import ask


def test_a_question_is_answered_by_a_process() -> None:
    answer = ask("versions", None)

    assert isinstance(answer, dict)
    assert set(answer) == {"numpy", "scipy", "matplotlib"}


def test_a_question_that_cannot_be_answered_is_refused_in_the_words_of_the_tool() -> None:
    with pytest.raises(DdspecError, match="nothing is asked for but versions") as caught:
        ask("versions", {"of": "everything"})

    assert caught.value.exit is Exit.INVALID


def test_an_unknown_tool_names_those_there_are() -> None:
    with pytest.raises(DdspecError, match="versions"):
        ask("magic", None)


def test_missing_libraries_are_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "NEEDED", ("numpy", "no_such_library"))

    with pytest.raises(DdspecError, match="no_such_library") as caught:
        ask("versions", None)

    assert caught.value.exit is Exit.UNABLE
    assert "ddspec[report]" in caught.value.diagnostics[0].hint


def test_a_tool_that_dies_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "COMMAND", (analysis.sys.executable, "-c", "raise SystemExit(9)"))

    with pytest.raises(DdspecError, match="exit 9") as caught:
        ask("versions", None)

    assert caught.value.exit is Exit.FAILED
