from __future__ import annotations

from pathlib import Path

import pytest
from fake_cli import Shell


def test_a_machine_that_runs_these_tests_is_ready_for_local_runs(shell: Shell) -> None:
    ended = shell("doctor", "--executor", "local", "--json")

    assert (ended.code, ended.err) == (0, "")
    assert ended.json["ready"]
    assert not shell.home.exists()


# docker's SDK leaves the socket that could not connect to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_engine_that_is_not_there_is_one_problem_with_a_way_out(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")

    ended = shell("doctor", "--executor", "docker", "--json")

    problems = [row for row in ended.json["findings"] if row["verdict"] == "problem"]
    assert ended.code == 6
    assert [row["check"] for row in problems] == ["engine"]
    assert problems[0]["mend"]


def test_findings_are_told_in_lines(shell: Shell) -> None:
    ended = shell("doctor", "--executor", "local")

    assert ended.code == 0
    assert ended.out.endswith(("ready for `--executor local`\n", "warning\n", "warnings\n"))


def test_a_gpu_that_is_not_there_is_a_problem(shell: Shell) -> None:
    ended = shell("doctor", "--executor", "local", "--gpus", "97", "--json")

    row = next(row for row in ended.json["findings"] if row["check"] == "GPUs")
    assert (ended.code, row["verdict"]) == (6, "problem")


def test_what_names_no_gpu_is_a_problem(shell: Shell) -> None:
    ended = shell("doctor", "--executor", "local", "--gpus", "best")

    assert ended.code == 6
    assert "`best` names no GPU" in ended.out
