"""Folders that change hands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddspec.errors import DdspecError
from ddspec.executors.folders import give, lay_out, require_readable

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def owner(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


@needs_root
def test_everything_in_a_folder_changes_hands_and_nothing_behind_a_link(tmp_path: Path) -> None:
    given, outside = tmp_path / "given", tmp_path / "outside"
    (given / "a/b").mkdir(parents=True)
    (given / "a/b/file").touch()
    (outside / "kept").mkdir(parents=True)
    (given / "link").symlink_to(outside)

    give([given, tmp_path / "gone"], (65532, 65532))

    for path in (given, given / "a", given / "a/b/file", given / "link"):
        assert owner(path) == (65532, 65532)
    assert owner(outside) == owner(outside / "kept") == (0, 0)


def test_a_layout_can_be_made_twice_and_its_job_read_by_anyone(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        for content in (b"first", b"second"):
            lay_out(tmp_path / "root", content, [tmp_path / "scratch/KEY"])
    finally:
        os.umask(before)

    job = tmp_path / "root/job/job.json"
    assert job.read_bytes() == b"second"
    assert job.stat().st_mode & 0o777 == 0o644
    assert job.parent.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "scratch/KEY").is_dir()


def test_inputs_that_only_root_may_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "closed").mkdir(mode=0o700)

    require_readable([tmp_path / "open", tmp_path / "gone"])
    with pytest.raises(DdspecError, match=f"only root can read {tmp_path}/closed"):
        require_readable([tmp_path / "closed"])
