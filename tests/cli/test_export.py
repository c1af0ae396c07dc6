"""Exports that do not come about, with runners that compute nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import DdspecError, Exit
from ddspec.run import analysis, exporting
from ddspec.store.holds import Hold
from ddspec.store.store import open_store

MATRIX = SPEC + "matrix: {seed: [0, 1]}\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(("small.yaml", "--to", "there"), 5, "never overwrites", id="it is there"),
        pytest.param(("small.yaml", "--to", "there/file/x"), 6, "cannot write", id="in a file"),
        pytest.param(("both.yaml",), 2, "2 variants.*\n.*`--variant`: `seed-0`", id="several"),
        pytest.param(("small.yaml", "--as", "png", "--exact"), 2, "of npz", id="exact pictures"),
        pytest.param(("small.yaml", "--as", "gif"), 2, "gif", id="another form"),
        pytest.param(("nowhere.yaml",), 3, "nowhere.yaml", id="no spec"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    shell: Shell, words: tuple[str, ...], code: int, message: str
) -> None:
    shell.write("both.yaml", MATRIX)
    (shell.folder / "there").mkdir()
    (shell.folder / "there/file").write_text("mine")
    given = ("--as", "npz", "--to", "new", "--no-evaluate", "--device", "cpu")

    ended = shell("export", *given, *words)

    assert ended.code == code, ended.err
    assert re.search(message, ended.err)
    assert (shell.folder / "there/file").read_text() == "mine"
    assert not (shell.folder / "new").exists()


@pytest.mark.parametrize(
    ("words", "command"),
    [
        pytest.param(("small.yaml",), "`ddspec run small.yaml`", id="a spec"),
        pytest.param(
            ("both.yaml", "--variant", "seed-1"),
            "`ddspec run both.yaml --variant 'seed-1'`",
            id="a variant",
        ),
    ],
)
def test_what_was_not_run_says_what_is_left_and_how_to_run_it(
    shell: Shell, words: tuple[str, ...], command: str
) -> None:
    shell.write("both.yaml", MATRIX)

    ended = shell("export", *words, "--as", "png", "--to", "new")

    assert ended.code == 6
    assert "`distill` is not in the store, 13 of 13 stages are left to run" in ended.err
    assert command in ended.err
    assert not shell.home.exists()


def test_an_evaluation_that_fails_is_told_and_nothing_is_written(shell: Shell) -> None:
    shell("run", "small.yaml", "--device", "cpu")
    shell.behave(**{"evaluate__rounded__convnet2-w8__1": 70})

    ended = shell("export", "small.yaml", "--as", "png", "--to", "new", "--device", "cpu")

    assert ended.code == 1
    assert "evaluate/rounded/convnet2-w8/1" in ended.err
    assert "nothing was exported; run it again" in ended.err
    assert ended.out == ""
    assert not (shell.folder / "new").exists()


def test_an_output_that_is_no_set_is_named(shell: Shell) -> None:
    shell("run", "small.yaml", "--device", "cpu")
    words = ("--as", "png", "--to", "new", "--no-evaluate", "--device", "cpu")

    ended = shell("export", "small.yaml", *words)

    assert ended.code == 1
    assert re.search(r"the stored output [0-9a-f]{16} is no set: see its card.json", ended.err)
    assert "export again: it is made anew" in ended.err
    assert not (shell.folder / "new").exists()


def test_a_damaged_set_is_named(shell: Shell) -> None:
    shell("run", "small.yaml", "--device", "cpu")
    told = shell("results", "small.yaml", "--json").json
    (key,) = [row["key"] for row in told["stages"] if row["label"] == "distill"]
    path = shell.home / "objects" / key[:2] / key / "synthetic.safetensors"
    assert path.is_file()
    path.chmod(0o644)
    path.write_text("changed by hand")

    ended = shell("export", "small.yaml", "--as", "png", "--to", "new")

    assert ended.code == 1
    assert f"stored output {key[:16]} is damaged: synthetic.safetensors" in ended.err
    assert "`ddspec run` makes it again" in ended.err


def test_missing_libraries_are_named_before_anything_is_evaluated(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("run", "small.yaml", "--device", "cpu")
    monkeypatch.setattr(analysis, "NEEDED", ("no_such_library",))

    ended = shell("export", "small.yaml", "--as", "npz", "--to", "new", "--device", "cpu")

    assert ended.code == 6
    assert "no_such_library" in ended.err
    assert "round" not in ended.err


def test_what_the_run_leaves_to_the_export_is_only_what_rounding_adds(shell: Shell) -> None:
    shell("run", "small.yaml", "--device", "cpu")
    (shell.folder / "log").write_text("")

    shell("export", "small.yaml", "--as", "png", "--to", "new", "--device", "cpu")

    started = [
        line.split()[1]
        for line in (shell.folder / "log").read_text().splitlines()
        if line.startswith("start ")
    ]
    judged = [f"evaluate/rounded/convnet2-w8/{repeat}" for repeat in (0, 1)]
    assert sorted(started) == sorted(["round", *judged])


def test_what_an_export_reads_is_held_while_it_is_at_work(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("run", "small.yaml", "--device", "cpu")
    seen: list[Hold] = []

    def look(folder: Path) -> None:
        seen.extend(open_store(shell.home).holds.all())
        raise DdspecError("seen", exit=Exit.FAILED)

    monkeypatch.setattr(exporting, "card_in", look)
    ended = shell("export", "small.yaml", "--as", "png", "--to", "new", "--no-evaluate")

    (hold,) = seen
    told = shell("results", "small.yaml", "--json").json
    (learned,) = [row["key"] for row in told["stages"] if row["label"] == "distill"]
    assert ended.code == 1
    assert (hold.name, learned in hold.keys, len(hold.keys)) == ("small (export)", True, 2)
    assert open_store(shell.home).holds.all() == ()
