from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.run.new_folder import new_folder


def test_a_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"

    with new_folder(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub/file").write_text("whole")
        assert not target.exists()

    assert (target / "sub/file").read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["out"]


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    target = tmp_path / ("鳥" * 85)

    with new_folder(target) as folder:
        (folder / "file").write_text("whole")

    assert (target / "file").read_text() == "whole"


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with new_folder(tmp_path / "out"):
            pass
    finally:
        os.umask(before)

    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    with new_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("whole")

    assert (tmp_path / "out/file").read_text() == "whole"


@pytest.mark.parametrize("kind", ["file", "full folder", "link to nothing", "link to a folder"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    match kind:
        case "file":
            target.write_text("mine")
        case "full folder":
            target.mkdir()
            (target / "mine").touch()
        case "link to nothing":
            target.symlink_to(tmp_path / "nowhere")
        case "link to a folder":
            (tmp_path / "other").mkdir()
            target.symlink_to(tmp_path / "other")
    names = sorted(path.name for path in tmp_path.iterdir())

    with pytest.raises(DdspecError, match="never overwrites") as caught, new_folder(target):
        pytest.fail("nothing is written")

    assert caught.value.exit is Exit.REFUSED
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@pytest.mark.parametrize("kind", ["file", "full folder"])
def test_nor_what_comes_while_it_is_written(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"

    def come() -> None:
        with new_folder(target) as folder:
            (folder / "ours").touch()
            if kind == "file":
                target.write_text("theirs")
            else:
                target.mkdir()
                (target / "theirs").touch()

    with pytest.raises(DdspecError, match="never overwrites") as caught:
        come()

    assert caught.value.exit is Exit.REFUSED
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert target.is_file() or [path.name for path in target.iterdir()] == ["theirs"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "out") as folder:
            (folder / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk full"), (errno.EIO, "cannot write to"), (errno.EACCES, "permission")],
    ids=["full", "broken", "forbidden"],
)
def test_a_disk_that_takes_no_more_is_told(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(DdspecError, match=words) as caught, new_folder(tmp_path / "out"):
        raise OSError(number, os.strerror(number))

    assert caught.value.exit is Exit.UNABLE
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "parent").touch()

    with (
        pytest.raises(DdspecError, match="parent is no folder") as caught,
        new_folder(tmp_path / "parent/deep/out"),
    ):
        pytest.fail("nothing is written")

    assert caught.value.exit is Exit.UNABLE


WRITER = """
import sys, time
from pathlib import Path
from ddspec.run.new_folder import new_folder
with new_folder(Path(sys.argv[1])) as folder:
    (folder / "half").touch()
    print("begun", flush=True)
    time.sleep(60)
"""


def begun(target: Path) -> subprocess.Popen[str]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "begun\n"
    return writer


def test_what_a_killed_attempt_left_is_removed_by_the_next(tmp_path: Path) -> None:
    writer = begun(tmp_path / "out")
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert not (tmp_path / "out").exists()

    with new_folder(tmp_path / "out") as folder:
        (folder / "file").touch()

    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["file"]


def test_what_another_one_is_writing_is_left_alone(tmp_path: Path) -> None:
    writer = begun(tmp_path / "out")
    try:
        with new_folder(tmp_path / "out") as folder:
            (folder / "file").touch()

        assert len([path for path in tmp_path.iterdir() if path.name != "out"]) == 1
    finally:
        writer.send_signal(signal.SIGINT)
        writer.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
