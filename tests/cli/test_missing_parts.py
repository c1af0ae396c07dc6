"""A run that no runner can do is refused before anything starts, with all that is missing."""

from __future__ import annotations

import pytest
from fake_cli import SPEC, Shell

from ddspec.plan import abilities
from ddspec.plan.abilities import ABLE

QUEUED = SPEC.replace("{kind: recorded, models: 2, epochs: 1}", "{kind: online}")


@pytest.fixture(autouse=True)
def _runners_without_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand for older runners: those of this version have every part that a spec can ask for."""
    older = {**ABLE, "pool": frozenset({"recorded", "fresh"})}
    monkeypatch.setattr(abilities, "ABLE", older)


def test_a_run_is_refused_before_anything_starts(shell: Shell) -> None:
    spec = shell.write("queued.yaml", QUEUED)

    ended = shell("run", spec)

    assert ended.code == 6
    assert "no runner of this version has pool `online`, which distill needs" in ended.err
    assert "there is `fresh`, `recorded`" in ended.err
    assert not shell.home.exists()


def test_a_plan_file_is_refused_likewise(shell: Shell) -> None:
    spec = shell.write("queued.yaml", QUEUED)
    plan = str(shell.folder / "queued.plan.yaml")
    assert shell("plan", spec, "-o", plan).code == 0

    assert shell("run", plan).code == 6


def test_a_rehearsal_says_what_a_run_would_be_refused_for(shell: Shell) -> None:
    spec = shell.write("queued.yaml", QUEUED)

    text, data = shell("run", spec, "--dry-run"), shell("run", spec, "--dry-run", "--json")

    assert (text.code, data.code) == (6, 6)
    assert "refused: no runner of this version has pool `online`" in text.out
    (missing,) = data.json["missing_parts"]
    assert (missing["part"], missing["stages"]) == ("pool `online`", ["distill"])
    assert "`fresh`, `recorded`" in missing["why"]


def test_a_rehearsal_of_what_runners_can_do_misses_nothing(shell: Shell) -> None:
    ended = shell("run", "small.yaml", "--dry-run", "--json")

    assert (ended.code, ended.json["missing_parts"]) == (0, [])


def test_a_plan_shows_it(shell: Shell) -> None:
    spec = shell.write("queued.yaml", QUEUED)

    assert "pool `online` (distill)" in shell("plan", spec).out


def test_a_plan_that_cannot_run_does_not_tell_to_run_it(shell: Shell) -> None:
    spec = shell.write("queued.yaml", QUEUED)

    assert f"ddspec run {spec}" not in shell("plan", spec).out
