"""Where a store is found, and that its home stays out of git."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.store.journal import Entry
from ddspec.store.layout import find_home
from ddspec.store.store import Store, open_store


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/deep/er").mkdir(parents=True)
    return tmp_path / "repo"


def test_a_repository_without_a_store_gets_it_at_its_root(tree: Path) -> None:
    assert find_home(tree / "deep/er", {}) == tree / ".ddspec"


def test_the_nearest_store_wins_over_the_root(tree: Path) -> None:
    open_store(tree / "deep/.ddspec")

    assert find_home(tree / "deep/er", {}) == tree / "deep/.ddspec"


def test_outside_a_repository_the_folder_itself_is_the_place(tmp_path: Path) -> None:
    assert find_home(tmp_path, {}) == tmp_path / ".ddspec"


def test_the_environment_wins_over_the_tree_and_an_option_over_both(tree: Path) -> None:
    environ = {"DDSPEC_HOME": "/somewhere"}

    assert find_home(tree, environ) == Path("/somewhere")
    assert find_home(tree, environ, Path("/else")) == Path("/else")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("made", [True, False], ids=["a store", "an empty folder"])
def test_a_store_of_somebody_else_has_to_be_named(tree: Path, made: bool) -> None:
    home = tree / ".ddspec"
    home.mkdir()
    if made:
        open_store(home)
    os.chown(home, 12345, 12345)

    with pytest.raises(DdspecError, match="belongs to another user") as caught:
        find_home(tree / "deep", {})

    assert caught.value.exit is Exit.REFUSED
    assert find_home(tree / "deep", {}, home) == home
    assert find_home(tree / "deep", {"DDSPEC_HOME": str(home)}) == home


def test_a_store_keeps_its_name_and_stays_out_of_git(tmp_path: Path) -> None:
    first = open_store(tmp_path / "home")

    assert open_store(tmp_path / "home").id == first.id
    assert (tmp_path / "home/.gitignore").read_text() == "*\n"


def test_a_store_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    home = open_store(tmp_path / "home").layout
    home.identity.write_text(json.dumps({"format": "ddspec.store/2", "id": "x"}))

    with pytest.raises(DdspecError, match=r"store of format ddspec\.store/2") as caught:
        open_store(tmp_path / "home")
    assert caught.value.exit == Exit.CHANGED


DAMAGED = {
    "nothing": "",
    "no JSON": "xx",
    "an empty object": "{}",
    "a list": "[]",
    "text": '"x"',
    "bytes": "\x00\x00",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_store_that_lost_its_name_is_refused(tmp_path: Path, content: str) -> None:
    home = open_store(tmp_path / "home").layout
    home.identity.write_text(content)

    with pytest.raises(DdspecError, match=r"store\.json is damaged") as caught:
        open_store(tmp_path / "home")
    assert caught.value.exit == Exit.UNABLE


def test_a_pipe_in_place_of_the_name_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    os.mkfifo(tmp_path / "home/store.json")

    with pytest.raises(DdspecError, match=r"store\.json is damaged"):
        open_store(tmp_path / "home")


def test_no_store_is_made_among_the_files_of_a_person(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")

    with pytest.raises(DdspecError, match=r"holds other things such as `thesis\.tex`") as caught:
        open_store(tmp_path)

    assert caught.value.exit == Exit.UNABLE
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_store_whose_making_was_killed_is_made_whole(tmp_path: Path) -> None:
    for name in ("objects", "locks", ".gitignore", "..gitignore.00", ".store.json.ab12"):
        (tmp_path / "home" / name).mkdir(parents=True)

    assert open_store(tmp_path / "home").id


def test_a_path_that_no_disk_takes_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(DdspecError, match="file name too long\n  hint: name another") as caught:
        open_store(tmp_path / ("x" * 300))
    assert caught.value.exit == Exit.UNABLE


def test_a_path_that_is_no_text_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    home = tmp_path / os.fsdecode(b"\xff")

    with pytest.raises(DdspecError, match="its path is not UTF-8"):
        open_store(home)

    assert not home.exists()


def test_a_home_that_is_a_file_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")

    with pytest.raises(DdspecError, match="hint: name another place") as caught:
        open_store(tmp_path / "home")
    assert caught.value.exit == Exit.UNABLE


def test_the_journal_tells_attempts_in_their_order(store: Store) -> None:
    def entry(attempt: str, started: float) -> Entry:
        return Entry(
            key="k", label="pool/0", kind="pretrain", attempt=attempt, executor="local",
            host="h", started=started, ended=started + 1, exit=0, outcome="published",
        )  # fmt: skip

    store.journal.record(entry("b", 1.0))
    store.journal.record(entry("a", 2.0))
    store.journal.record(entry("a", 2.0))

    assert store.journal.entries("k") == (entry("b", 1.0), entry("a", 2.0))
    assert store.journal.entries("other") == ()
