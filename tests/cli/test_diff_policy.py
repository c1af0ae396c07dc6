"""A comparison says what the policy thinks of the new side, and what drifted."""

from __future__ import annotations

import pytest
from fake_cli import SPEC, Shell
from fake_git import SETTINGS, Repo, make_repo

from ddspec.errors import Exit
from ddspec.spec.policy_file import POLICY_FILE

LONGER = SPEC.replace("outer_loops: 2", "outer_loops: 3")
POLICY = (
    "format: ddspec.policy/1\nrules:\n"
    "  - {kind: stages, at_most: 100}\n"
    "  - {kind: repeats, at_least: 5, reason: to tell a point apart}\n"
)
MILD = POLICY.replace("reason", "action: warn, reason")


@pytest.fixture
def repo(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Repo:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    made = make_repo(shell.folder)
    made.write(".gitignore", "store\nscript.json\nlog\nsmall.yaml\n")
    made.commit(specs__x_yaml=SPEC)
    made.write("specs/x.yaml", LONGER)
    return made


@pytest.mark.parametrize(
    "arguments",
    [("--base", "main", "specs"), ("main:specs/x.yaml", "specs/x.yaml")],
    ids=["a branch", "a pair"],
)
def test_a_denied_change_is_told_and_exits_5(
    shell: Shell, repo: Repo, arguments: tuple[str, ...]
) -> None:
    repo.write(POLICY_FILE, POLICY)

    ended = shell("diff", *arguments, "--format", "markdown")

    assert ended.code == Exit.REFUSED
    assert "policy 1 of 2" in ended.out
    assert "2 repeats, at least 5" in ended.out


def test_a_warning_denies_nothing(shell: Shell, repo: Repo) -> None:
    repo.write(POLICY_FILE, MILD)

    ended = shell("diff", "--base", "main", "specs", "--format", "markdown")

    assert ended.code == 0
    assert "policy 1 of 2" in ended.out


def test_the_policy_may_be_that_of_the_base(shell: Shell, repo: Repo) -> None:
    repo.write(POLICY_FILE, MILD)
    base = shell.write("of-the-base.yaml", POLICY)

    ended = shell("diff", "--base", "main", "specs", "--policy", base, "--format", "json")

    assert ended.code == Exit.REFUSED
    assert [row["outcome"] for row in ended.json["reports"][0]["policy"]] == ["pass", "deny"]


def test_what_drifted_is_told_apart_from_what_changed(shell: Shell, repo: Repo) -> None:
    shell("lock", "specs/x.yaml")
    path = repo.folder / "specs" / "x.lock.yaml"
    source = next(line.split('"')[1] for line in path.read_text().splitlines() if "source" in line)
    path.write_text(path.read_text().replace(source, "c" * 64))

    found = shell("diff", "--base", "main", "specs", "--format", "json").json["reports"][0]

    assert [row["path"] for row in found["settings"]] == ["loops.outer_loops"]
    assert found["drift"][0]["message"].startswith("runners: locked with source cccccccccccc")
