"""Folders that a hostile job left, taken back."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ddspec.executors.folders import close_to_others, make_cache
from ddspec.executors.taking_back import DEEPEST, take_back

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
NOBODY = (65532, 65532)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def dig(folder: Path, depth: int) -> None:
    """Make folders within folders, deeper than any path can name."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def depth_of(folder: Path) -> int:
    return max(len(Path(here).relative_to(folder).parts) for here, _, _ in os.walk(folder))


def test_no_program_of_a_job_runs_as_the_caller_and_nobody_else_writes(tmp_path: Path) -> None:
    program, inner = tmp_path / "left/program", tmp_path / "left/inner"
    inner.mkdir(parents=True)
    program.touch()
    program.chmod(0o6777)
    inner.chmod(0o7777)

    take_back([tmp_path / "left"], None)

    assert mode(program) == 0o755
    assert mode(inner) == 0o755


def test_what_a_job_closed_is_open_to_the_caller(tmp_path: Path) -> None:
    inner = tmp_path / "left/inner"
    inner.mkdir(parents=True)
    (inner / "file").touch(mode=0o000)
    for folder in (inner, tmp_path / "left"):
        folder.chmod(0o000)

    take_back([tmp_path / "left"], None)

    assert mode(inner) == 0o700
    assert mode(inner / "file") == 0o600


def test_folders_too_deep_for_any_walk_are_brought_up(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    dig(left, 1500)

    take_back([left], None)

    assert depth_of(left) == DEEPEST
    assert sum(len(folders) for _, folders, _ in os.walk(left)) == 1500


@pytest.mark.parametrize("plain", [True, False])
def test_links_and_pipes_stay_only_where_they_are_told_of(tmp_path: Path, plain: bool) -> None:
    left, outside = tmp_path / "left", tmp_path / "outside"
    left.mkdir()
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    (left / "link").symlink_to(outside)
    os.mkfifo(left / "pipe")
    (left / "file").touch()

    take_back([left, tmp_path / "gone"], None, plain=plain)

    kept = {path.name for path in left.iterdir()}
    assert kept == ({"file"} if plain else {"file", "link", "pipe"})
    assert mode(outside) == 0o777


@needs_root
def test_everything_is_the_callers_again_and_nothing_behind_a_link(tmp_path: Path) -> None:
    left, outside = tmp_path / "left", tmp_path / "outside"
    (left / "a/b").mkdir(parents=True)
    outside.mkdir()
    (left / "a/link").symlink_to(outside)
    for path in (left, left / "a", left / "a/b", left / "a/link", outside):
        os.chown(path, *NOBODY, follow_symlinks=False)

    take_back([left], (0, 0))

    assert {path.lstat().st_uid for path in (left, left / "a", left / "a/b", left / "a/link")} == {
        0
    }
    assert outside.stat().st_uid == NOBODY[0]


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch(mode=0o666)
    (outside / "file").chmod(0o666)
    (tmp_path / "left").symlink_to(outside)

    take_back([tmp_path / "left"], None, plain=True)

    assert mode(outside / "file") == 0o666


def test_folders_of_jobs_are_closed_to_others_and_not_to_the_group(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)

    close_to_others([tmp_path])

    assert mode(tmp_path) == 0o770


def test_a_cache_that_a_job_closed_can_be_used_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache/image"
    cache.mkdir(parents=True)
    cache.chmod(0o000)

    make_cache(cache, None)

    assert mode(cache) == 0o755
