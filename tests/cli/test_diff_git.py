"""`ddspec diff` between git revisions and the working tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cli import SPEC, Shell
from fake_git import SETTINGS, Repo, make_repo

from ddspec.errors import Exit
from ddspec.spec.lock import Lock, LockedClass, Split, digest_of_splits
from ddspec.spec.lock_text import write_lock

LONGER = SPEC.replace("outer_loops: 2", "outer_loops: 3")


@pytest.fixture
def repo(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Repo:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    made = make_repo(shell.folder)
    made.write(".gitignore", "store\nscript.json\nlog\nsmall.yaml\n")
    made.commit(specs__x_yaml=SPEC)
    return made


def changed(shell: Shell, *arguments: str) -> list[str]:
    return [one["path"] for one in shell("diff", *arguments, "--json").json["settings"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("main:specs/x.yaml", "specs/x.yaml"),
        ("main:", "specs/x.yaml"),
        ("specs/x.yaml", "main:"),
        ("HEAD~0:specs/x.yaml", "./specs/x.yaml"),
    ],
    ids=" ".join,
)
def test_a_revision_is_compared_with_the_working_tree(
    shell: Shell, repo: Repo, arguments: tuple[str, str]
) -> None:
    repo.write("specs/x.yaml", LONGER)

    assert changed(shell, *arguments) == ["loops.outer_loops"]


def test_costs_and_places_are_data_too(shell: Shell, repo: Repo) -> None:
    repo.write("specs/x.yaml", f"# a line more\n{LONGER}")

    found = shell("diff", "main:", "specs/x.yaml", "--gpu", "a6000", "--json").json

    assert found["settings"][0]["where"] == "x.yaml:11, was :10"
    assert found["costs"]["device"] == "a6000"
    assert found["costs"]["before"]["flops"] < found["costs"]["after"]["flops"]
    assert found["costs"]["new"]["device_s"][1] > 0


def test_two_revisions_are_compared(shell: Shell, repo: Repo) -> None:
    repo.commit(specs__x_yaml=LONGER)
    repo.write("specs/x.yaml", "no longer: a spec\n")

    assert changed(shell, "main~1:specs/x.yaml", "main:") == ["loops.outer_loops"]


def test_no_working_tree_is_needed(
    shell: Shell, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit(specs__x_yaml=LONGER)
    repo.git("clone", "--quiet", "--bare", str(repo.folder), str(repo.folder / "bare.git"))
    monkeypatch.chdir(repo.folder / "bare.git")

    assert changed(shell, "main~1:specs/x.yaml", "main:") == ["loops.outer_loops"]
    assert "a bare repository has no working tree" in shell("diff", "--base", "main").err


def test_paths_of_a_revision_begin_at_the_root(
    shell: Shell, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo.folder / "specs")

    assert shell("diff", "main:./x.yaml", "x.yaml").code == Exit.DONE
    ended = shell("diff", "main:x.yaml", "x.yaml")
    assert "hint: paths begin at the root: `main:./x.yaml` is from here" in ended.err


def test_errors_name_the_revision(shell: Shell, repo: Repo) -> None:
    repo.commit(specs__x_yaml=SPEC.replace("outer_loops", "outer_lops"))
    repo.write("specs/x.yaml", SPEC)

    ended = shell("diff", "main:", "specs/x.yaml")

    assert ended.code == Exit.INVALID
    assert "main:specs/x.yaml:10:" in ended.err


def test_conflict_markers_of_a_revision_are_found(shell: Shell, repo: Repo) -> None:
    repo.commit(specs__x_yaml=f"<<<<<<< ours\n{SPEC}=======\n>>>>>>> theirs\n")
    repo.write("specs/x.yaml", SPEC)

    assert (
        "main:specs/x.yaml:1:1: merge-conflict marker" in shell("diff", "main:", "specs/x.yaml").err
    )


def test_a_file_whose_name_has_a_colon_is_no_revision(shell: Shell, repo: Repo) -> None:
    repo.write("main:specs/x.yaml", LONGER)

    ended = shell("diff", "main:specs/x.yaml", "specs/x.yaml")

    assert "loops.outer_loops" in ended.out
    assert "note: `main:specs/x.yaml` is a file here" in ended.err


def test_a_renamed_spec_is_compared_with_what_it_was(shell: Shell, repo: Repo) -> None:
    repo.git("mv", "specs/x.yaml", "specs/renamed.yaml")

    ended = shell("diff", "main:", "specs/renamed.yaml")

    assert "main:specs/x.yaml -> specs/renamed.yaml: nothing changed" in ended.out
    assert "was called `specs/x.yaml` at main" in ended.err


def test_a_spec_that_is_new_is_told_apart_from_a_slip(shell: Shell, repo: Repo) -> None:
    repo.write("specs/new.yaml", SPEC)

    new = shell("diff", "main:", "specs/new.yaml")
    slip = shell("diff", "main:specs/y.yaml", "specs/x.yaml")

    assert (new.code, slip.code) == (Exit.INVALID, Exit.INVALID)
    assert "`ddspec diff --base main SPEC` shows what is new" in new.err
    assert "did you mean `main:specs/x.yaml`?" in slip.err


def test_what_a_spec_extends_is_read_at_the_same_revision(shell: Shell, repo: Repo) -> None:
    child = "name: child\nextends: x.yaml\nseed: 1\n"
    repo.commit(specs__child_yaml=child)
    repo.write("specs/x.yaml", LONGER)

    assert changed(shell, "main:", "specs/child.yaml") == ["loops.outer_loops"]


def test_the_lock_of_the_revision_is_used(shell: Shell, repo: Repo) -> None:
    folder = SPEC.replace("{kind: digits, validation: 0.2}", "{kind: folder, path: x, size: 8}")
    repo.write("specs/f.yaml", folder)
    lock(repo.folder / "specs" / "f.lock.yaml", "a" * 64)
    repo.commit()
    lock(repo.folder / "specs" / "f.lock.yaml", "b" * 64)

    found = shell("diff", "main:", "specs/f.yaml", "--json").json

    assert (found["settings"], found["category"]) == ([], "protocol")


def lock(path: Path, digest: str) -> None:
    classes = {name: LockedClass(images=9, digest=digest) for name in ("one", "two")}
    splits: dict[Split, dict[str, LockedClass]] = {"train": classes, "test": classes}
    write_lock(path, Lock(kind="folder", splits=splits, digest=digest_of_splits(splits)))
