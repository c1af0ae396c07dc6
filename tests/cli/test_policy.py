"""A plan that a policy denies is neither written nor run."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import Exit
from ddspec.spec.policy_file import POLICY_FILE, find_policy

HEAD = "format: ddspec.policy/1\ndevice: a6000\nrules:\n"
STRICT = HEAD + (
    "  - {kind: gpu_hours, at_most: 200}\n"
    "  - {kind: repeats, at_least: 5, reason: to tell a point apart}\n"
    "  - {kind: stages, at_most: 3, action: warn}\n"
)
MILD = STRICT.replace("at_least: 5", "at_least: 2")


def test_a_plan_shows_how_many_rules_it_keeps(shell: Shell) -> None:
    shell.write(POLICY_FILE, MILD)

    ended = shell("plan", "small.yaml")

    assert ended.code == 0
    words = " ".join(ended.out.split())
    assert f"policy 2 of 3 rules kept · {POLICY_FILE}" in words
    assert "warning stages: 13 stages, at most 3" in words


def test_a_denied_plan_is_shown_and_then_refused(shell: Shell) -> None:
    shell.write(POLICY_FILE, STRICT)

    ended = shell("plan", "small.yaml")

    assert ended.code == Exit.REFUSED
    assert "1 of 3 rules kept" in " ".join(ended.out.split())
    assert f"{POLICY_FILE}:5:5: policy `repeats`: 2 repeats, at least 5" in ended.err
    assert "hint: to tell a point apart" in ended.err


def test_a_denied_plan_is_not_written(shell: Shell) -> None:
    policy = shell.write("strict.yaml", STRICT)

    ended = shell("plan", "small.yaml", "-o", "small.plan.yaml", "--policy", policy)

    assert ended.code == Exit.REFUSED
    assert not (shell.folder / "small.plan.yaml").exists()


def test_a_denied_plan_starts_nothing(shell: Shell) -> None:
    shell.write(POLICY_FILE, STRICT)

    ended = shell("run", "small.yaml")

    assert ended.code == Exit.REFUSED
    assert not list(shell.home.glob("attempts/*"))


def test_a_plan_that_keeps_to_its_policy_runs(shell: Shell) -> None:
    shell.write(POLICY_FILE, MILD)

    assert shell("run", "small.yaml").code == 0


def test_a_plan_as_json_holds_the_verdicts(shell: Shell) -> None:
    shell.write(POLICY_FILE, MILD)

    found = shell("plan", "small.yaml", "--json").json["policy"]

    assert [(one["kind"], one["state"]) for one in found] == [
        ("gpu_hours", "kept"),
        ("repeats", "kept"),
        ("stages", "warned"),
    ]


def test_every_rule_can_be_listed(shell: Shell) -> None:
    shell.write(POLICY_FILE, STRICT)

    ended = shell("policy", "small.yaml")
    as_json = shell("policy", "small.yaml", "--json")

    assert ended.code == as_json.code == Exit.REFUSED
    assert ended.out.splitlines()[1] == (
        "denied   repeats    2 repeats, at least 5 (to tell a point apart)"
    )
    assert [one["state"] for one in as_json.json["verdicts"]] == ["kept", "denied", "warned"]


def test_without_a_policy_there_is_nothing_to_list(shell: Shell) -> None:
    assert shell("policy", "small.yaml").code == Exit.USAGE


def test_a_policy_that_is_named_must_be_there(shell: Shell) -> None:
    ended = shell("plan", "small.yaml", "--policy", "no.yaml")

    assert ended.code == Exit.INVALID
    assert "`no.yaml` does not exist" in ended.err


def test_choosing_a_variant_does_not_go_round_a_rule(shell: Shell) -> None:
    shell.write(POLICY_FILE, HEAD + "  - {kind: test_split}\n")
    spec = shell.write("m.yaml", SPEC + "matrix: {loops.outer_loops: [2, 3]}\n")

    assert shell("run", spec, "--variant", "*2").code == Exit.REFUSED


@pytest.mark.parametrize("link", [False, True], ids=["a file", "a link to nowhere"])
def test_the_nearest_policy_up_to_the_repository_counts(tmp_path: Path, link: bool) -> None:
    repository = tmp_path / "r"
    specs = repository / "specs" / "a"
    specs.mkdir(parents=True)
    (repository / ".git").mkdir()
    (tmp_path / POLICY_FILE).write_text(MILD)
    outside = find_policy(specs / "x.yaml")
    root = repository / POLICY_FILE
    root.symlink_to("nowhere") if link else root.write_text(MILD)

    assert outside is None
    assert find_policy(specs / "x.yaml") == root


def test_a_policy_that_is_a_link_is_refused_and_not_passed_over(shell: Shell) -> None:
    (shell.folder / POLICY_FILE).symlink_to("nowhere")

    ended = shell("plan", "small.yaml")

    assert ended.code == Exit.INVALID
    assert "is a symbolic link" in ended.err
