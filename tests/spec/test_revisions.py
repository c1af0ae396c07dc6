"""Files are read as they are at a revision, and no name is taken for anything else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from fake_git import SETTINGS, Repo, make_repo

from ddspec.errors import DdspecError, Exit
from ddspec.spec.revisions import Repository, repository_of
from ddspec.spec.source import Source


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    made = make_repo(tmp_path / "repo")
    made.commit(specs__x_yaml="old\n", specs__y_yaml="y\n")
    monkeypatch.chdir(made.folder)
    return made


def opened() -> Repository:
    return repository_of(Path.cwd())


def test_a_file_is_read_as_it_was_and_not_as_it_is(repo: Repo) -> None:
    repo.write("specs/x.yaml", "new\n")

    assert opened().revision("main").read("specs/x.yaml") == b"old\n"


def test_no_working_tree_is_needed(repo: Repo, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repo.git("clone", "--quiet", "--bare", str(repo.folder), str(bare))

    found = repository_of(bare)

    assert found.top is None
    assert found.revision("main").read("specs/x.yaml") == b"old\n"


@pytest.mark.parametrize(
    "name",
    [
        "--all",
        "-h",
        "--output=owned",
        "main..HEAD",
        "^main",
        "main:specs",
        "main specs/x.yaml",
        "main\n",
        "",
        "@{-1",
        "main^{tree}",
        "main:specs/x.yaml",
        "a" * 300,
    ],
)
def test_what_is_no_revision_is_refused(repo: Repo, name: str) -> None:
    with pytest.raises(DdspecError) as caught:
        opened().revision(name)

    assert caught.value.exit == Exit.USAGE
    assert not (repo.folder / "owned").exists()


def test_a_revision_of_a_similar_name_is_proposed(repo: Repo) -> None:
    repo.git("branch", "release")

    with pytest.raises(DdspecError, match="did you mean `release`"):
        opened().revision("relaese")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("specs/z.yaml", r"main:specs/z.yaml: `specs/z.yaml` does not exist at main"),
        ("specs", "does not exist at main"),
        ("specs/", "does not exist at main"),
        ("../x.yaml", "does not exist at main"),
        (":(glob)specs/*.yaml", "does not exist at main"),
        ("specs/*.yaml", "does not exist at main"),
        ("--help", "does not exist at main"),
    ],
)
def test_only_a_file_of_exactly_that_path_is_read(repo: Repo, path: str, words: str) -> None:
    with pytest.raises(DdspecError, match=words.replace("*", r"\*").replace("(", r"\(")):
        opened().revision("main").read(path)


def test_links_and_large_files_are_refused(repo: Repo) -> None:
    (repo.folder / "link.yaml").symlink_to("/etc/passwd")
    repo.commit(large_yaml="x" * (2**20 + 1))
    main = opened().revision("main")

    with pytest.raises(DdspecError, match="is a symbolic link at main"):
        main.read("link.yaml")
    with pytest.raises(DdspecError, match="is larger than 1 MiB"):
        main.read("large.yaml")


def test_a_path_from_the_working_folder_is_explained(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("specs")
    found = opened()

    assert found.rooted("./x.yaml") == "specs/x.yaml"
    assert found.inside(Path("x.yaml")) == "specs/x.yaml"
    assert found.inside(Path("../../elsewhere.yaml")) is None
    with pytest.raises(DdspecError, match=r"`main:\./x\.yaml` is from here"):
        found.revision("main").read("x.yaml")


@pytest.mark.parametrize("staged", [True, False], ids=["staged", "committed"])
def test_a_renamed_file_is_found_under_its_old_name(repo: Repo, staged: bool) -> None:
    repo.commit(long_yaml="".join(f"line {i}\n" for i in range(50)))
    repo.git("tag", "before")
    repo.git("mv", "long.yaml", "other name.yaml")
    if not staged:
        repo.commit()

    assert opened().revision("before").renames() == {"other name.yaml": "long.yaml"}


def test_the_fork_is_where_a_branch_left_another(repo: Repo) -> None:
    fork = repo.git("rev-parse", "HEAD")
    repo.git("checkout", "--quiet", "-b", "topic")
    repo.commit(a_yaml="1\n")
    repo.git("checkout", "--quiet", "main")
    repo.commit(b_yaml="2\n")
    repo.git("checkout", "--quiet", "topic")
    found = opened()
    left = found.fork(found.revision("main"))

    assert left is not None
    assert (left.name, left.commit) == ("main", fork)


def test_what_a_spec_extends_is_looked_up_at_the_same_revision(repo: Repo) -> None:
    main = opened().revision("main")
    child = Source("main:specs/x.yaml", "")
    repo.write("specs/y.yaml", "new\n")

    assert main.open("y.yaml", child) == Source("main:specs/y.yaml", "y\n", private=True)
    for path in ("../../y.yaml", "/etc/passwd", "y\n.yaml"):
        with pytest.raises(DdspecError, match="is no path inside the repository"):
            main.open(path, child)


def test_without_a_repository_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(DdspecError, match="is in no git repository") as caught:
        repository_of(tmp_path)

    assert caught.value.exit == Exit.UNABLE


def test_without_git_the_reason_is_told(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(DdspecError, match="git is not installed"):
        opened()


def test_what_a_repository_configures_is_not_run(repo: Repo) -> None:
    (repo.folder / "evil").write_text("#!/bin/sh\ntouch owned\n")
    (repo.folder / "evil").chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "core.hooksPath", "diff.external"):
        repo.git("config", name, "./evil")
    repo.commit(gitattributes="* diff=evil filter=evil\n")
    repo.git("config", "filter.evil.smudge", "./evil")
    (repo.folder / "owned").unlink(missing_ok=True)  # the commit itself ran it
    main = opened().revision("main")

    main.read("specs/x.yaml")
    main.renames()
    list(main.files())

    assert not (repo.folder / "owned").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_somebody_else_is_refused_with_a_way_out(repo: Repo) -> None:
    subprocess.run(["chown", "-R", "12345", str(repo.folder)], check=True)

    with pytest.raises(DdspecError, match=r"safe\.directory") as caught:
        opened()

    assert caught.value.exit == Exit.UNABLE
