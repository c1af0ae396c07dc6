"""A plan goes where nothing is lost, and says nothing that a file's name made it say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

LONGER = SPEC.replace("outer_loops: 2", "outer_loops: 3")


def lay_folder(path: Path) -> None:
    path.mkdir()


def lay_link(path: Path) -> None:
    path.symlink_to("small.yaml")


@pytest.mark.parametrize("name", ["there.yaml", "there.plan.yaml"])
@pytest.mark.parametrize(
    "lay",
    [
        pytest.param(os.mkfifo, id="a pipe"),
        pytest.param(lay_link, id="a link"),
        pytest.param(lay_folder, id="a folder"),
    ],
)
def test_a_plan_is_not_written_over_what_is_no_file(
    shell: Shell, lay: Callable[[Path], None], name: str
) -> None:
    path = shell.folder / name
    lay(path)
    before = path.lstat()

    ended = shell("plan", "small.yaml", "-o", name)

    assert (ended.code, ended.err) == (2, f"error: `{name}` is not a regular file\n")
    assert path.lstat() == before


def test_a_plan_is_not_written_over_its_spec(shell: Shell) -> None:
    ended = shell("plan", "small.yaml", "-o", "small.yaml")

    assert ended.code == 2
    assert "`small.yaml` is no plan file" in ended.err
    assert (shell.folder / "small.yaml").read_text() == SPEC


def test_a_plan_that_a_merge_broke_is_written_again(shell: Shell) -> None:
    shell.write("small.plan.yaml", "<<<<<<< ours\n=======\n>>>>>>> theirs\n")

    shell("plan", "small.yaml", "-o", "small.plan.yaml")

    assert shell("plan", "small.yaml", "--check", "small.plan.yaml").code == 0


def test_the_name_of_a_spec_cannot_become_a_command_or_a_line_of_its_plan(shell: Shell) -> None:
    folder = shell.folder / "a'b $(touch x)\nformat: c"
    folder.mkdir()
    shell.write(f"{folder.name}/small.yaml", SPEC)
    shell("plan", f"{folder.name}/small.yaml", "-o", "odd.plan.yaml")
    shell.write(f"{folder.name}/small.yaml", LONGER)

    stale = shell("run", "odd.plan.yaml")

    assert stale.code == 4
    assert "`ddspec diff odd.plan.yaml 'a'\"'\"'b $(touch x)" in stale.err


def test_a_lock_reads_nothing_outside_of_the_data_directory(shell: Shell) -> None:
    (shell.folder / "private/train/secret").mkdir(parents=True)
    (shell.folder / "data").mkdir()
    dataset = "{kind: folder, path: ../private, size: 8}"
    shell.write("out.yaml", SPEC.replace("{kind: digits, validation: 0.2}", dataset))

    ended = shell("lock", "out.yaml", "--data", "data")

    assert ended.code == 6
    assert "`dataset.path` leads out of the data directory" in ended.err
    assert "secret" not in ended.err


@pytest.mark.parametrize("verb", [("run", "--dry-run"), ("diff", "small.yaml"), ("plan",)])
def test_every_verb_refuses_a_plan_that_a_merge_broke(verb: tuple[str, ...], shell: Shell) -> None:
    shell.write("small.plan.yaml", "<<<<<<< ours\n=======\n>>>>>>> theirs\n")

    ended = shell(*verb, "small.plan.yaml")

    assert ended.code == 4
    assert "a merge left a conflict in this plan" in ended.err


@pytest.mark.parametrize("verb", [("run", "--dry-run"), ("diff", "small.yaml"), ("plan",)])
def test_a_plan_that_is_a_link_is_not_followed(verb: tuple[str, ...], shell: Shell) -> None:
    shell.write("private", "password:\n")
    (shell.folder / "small.plan.yaml").symlink_to("private")

    ended = shell(*verb, "small.plan.yaml")

    assert ended.code == 3
    assert "`small.plan.yaml` is a symbolic link" in ended.err
