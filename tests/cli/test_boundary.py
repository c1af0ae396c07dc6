"""Every way a verb can end has its exit code and its words."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_cli import Shell

from ddspec.__main__ import main as start
from ddspec.cli import app
from ddspec.errors import DdspecError, Diagnostic, Exit, Place


def refuse() -> Exit:
    problems = [Diagnostic("first", Place("a.yaml", 1, 1)), Diagnostic("second", hint="do this")]
    raise DdspecError(problems, exit=Exit.REFUSED)


def interrupt() -> Exit:
    raise KeyboardInterrupt


def finish() -> Exit:
    return Exit.CHANGED


def break_down() -> Exit:
    raise ZeroDivisionError("nobody expected this")


ENDS: dict[str, tuple[Callable[[], Exit], int, str]] = {
    "an exit code of its own": (finish, 4, ""),
    "what a person can mend": (
        refuse,
        5,
        "error: a.yaml:1:1: first\nerror: second\n  hint: do this\n",
    ),
    "Ctrl-C": (interrupt, 130, "interrupted\n"),
}


@pytest.mark.parametrize(("verb", "code", "words"), ENDS.values(), ids=ENDS)
def test_a_verb_ends_with_a_code_and_words_on_stderr(
    verb: Callable[[], Exit], code: int, words: str, shell: Shell
) -> None:
    shell.monkeypatch.setitem(app.VERBS, "try", verb)

    ended = shell("try")

    assert (ended.code, ended.out, ended.err) == (code, "", words)


def test_a_bug_is_reported_in_a_file(shell: Shell) -> None:
    shell.monkeypatch.setitem(app.VERBS, "try", break_down)
    shell.monkeypatch.setattr("tempfile.tempdir", str(shell.folder))

    ended = shell("try")

    assert ended.code == 70
    assert "bug in ddspec: ZeroDivisionError: nobody expected this" in ended.err
    assert "Traceback" not in ended.err
    found = re.search(r"\S+ddspec-bug-\S+\.txt", ended.err)
    assert found
    report = Path(found[0]).read_text()
    assert "Traceback" in report
    assert report.splitlines()[2] == "ddspec try"


INABILITIES: dict[str, tuple[BaseException, str]] = {
    "a full disk": (OSError(errno.ENOSPC, "No space left on device"), "no space left on device"),
    "a disk that is read only": (
        OSError(errno.EROFS, "Read-only file system", "x"),
        "`x`: read-only file system",
    ),
    "no permission": (
        PermissionError(errno.EACCES, "Permission denied", "x"),
        "`x`: permission denied",
    ),
    "no memory": (MemoryError(), "there is not enough memory"),
}


@pytest.mark.parametrize(("error", "words"), INABILITIES.values(), ids=INABILITIES)
def test_what_the_machine_refuses_is_no_bug(error: BaseException, words: str, shell: Shell) -> None:
    def fail() -> Exit:
        raise error

    shell.monkeypatch.setitem(app.VERBS, "try", fail)

    ended = shell("try")

    assert (ended.code, ended.err) == (6, f"error: {words}\n")


def test_a_folder_that_was_removed_is_no_place_to_work(shell: Shell) -> None:
    gone = shell.folder / "gone"
    gone.mkdir()
    shell.monkeypatch.chdir(gone)
    gone.rmdir()

    ended = shell("status")

    assert ended.code == 6
    assert ended.err.startswith("error: the folder that this was called in no longer exists\n")


CLOSED = {
    "stdout": ("plan small.yaml >&-", 0),
    "stderr": ("plan missing.yaml 2>&-", 3),
    "all of them": ("plan small.yaml <&- >&- 2>&-", 0),
}


@pytest.mark.parametrize(("command", "code"), CLOSED.values(), ids=CLOSED)
def test_closed_streams_change_no_exit_code(command: str, code: int, shell: Shell) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m ddspec {command}', sys.executable],
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (code, b"")


def test_ctrl_c_while_modules_are_loaded_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "main", interrupt)

    assert start() == 130


USAGE = {
    "nothing": (),
    "an unknown verb": ("frobnicate",),
    "an unknown option": ("plan", "--frobnicate"),
    "no document": ("plan",),
    "a bad number": ("run", "small.yaml", "--jobs", "0"),
    "an unknown device": ("run", "small.yaml", "--device", "abacus"),
    "an unknown dataset": ("data", "fetch", "emnist", "--data", "."),
    "a dataset without files": ("data", "fetch", "digits", "--data", "."),
    "no data directory": ("data", "fetch", "mnist"),
    "nothing to verify": ("verify",),
    "a policy where there is none": ("policy", "small.yaml"),
    "an unknown rule": ("explain", "DDS999"),
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], shell: Shell) -> None:
    assert shell(*arguments).code == Exit.USAGE


@pytest.mark.parametrize("verb", [*app.VERBS, "data"])
def test_every_verb_explains_itself(verb: str, shell: Shell) -> None:
    ended = shell(verb, "--help")

    assert ended.code == 0
    assert f"Usage: ddspec {verb}" in ended.out


def test_the_version_is_data(shell: Shell) -> None:
    ended = shell("--version")

    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(r"ddspec \d+\.\d+\.\d+\S*\n", ended.out)


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, shell: Shell) -> None:
    read, write = os.pipe()
    os.close(read)

    ended = subprocess.run(
        [sys.executable, "-m", "ddspec", "plan", str(tmp_path / "small.yaml")],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)

    assert ended.returncode == 141
    assert ended.stderr == b""
