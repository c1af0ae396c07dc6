"""Nothing that a file says reaches the terminal in a form that could steer it."""

from __future__ import annotations

import json
import sys

import pytest
from fake_cli import SPEC, Shell

TITLE = r'"a \e[31mred\e]0;window\a \u202eeltit \x9b2J\nover"'
HOSTILE = SPEC.replace("A small experiment", TITLE)
SHOWN = "a \ufffd[31mred\ufffd]0;window\ufffd \ufffdeltit \ufffd2J\ufffdover"

LOOKS = {
    "a plan": ("plan", "hostile.yaml"),
    "its stages": ("plan", "hostile.yaml", "--stages"),
    "a difference": ("diff", "small.yaml", "hostile.yaml"),
    "its difference as JSON": ("diff", "small.yaml", "hostile.yaml", "--json"),
    "results": ("results", "hostile.yaml"),
    "results as JSON": ("results", "hostile.yaml", "--json"),
    "a run": ("run", "hostile.yaml"),
    "a missing file": ("plan", "mis\x1bsing.yaml"),
}


@pytest.mark.parametrize("arguments", LOOKS.values(), ids=LOOKS)
def test_no_verb_prints_control_characters(arguments: tuple[str, ...], shell: Shell) -> None:
    shell.write("hostile.yaml", HOSTILE)

    ended = shell(*arguments)

    assert all(line.isprintable() for line in ended.out.split("\n"))
    assert all(
        char.isprintable() or char == "\ufffd" for line in ended.err.split("\n") for char in line
    )


def test_a_title_is_one_line_whatever_it_holds(shell: Shell) -> None:
    shell.write("hostile.yaml", HOSTILE)

    assert shell("results", "hostile.yaml").out.splitlines()[0].startswith(SHOWN)


def test_json_keeps_what_it_escapes(shell: Shell) -> None:
    shell.write("hostile.yaml", HOSTILE)

    title = shell("results", "hostile.yaml", "--json").json["title"]

    assert title == "a \x1b[31mred\x1b]0;window\x07 \u202eeltit \x9b2J\nover"


def test_what_a_runner_says_before_it_fails_is_made_visible(shell: Shell) -> None:
    script = {"pool/0": {"stderr": "cannot read \x1b]0;window\x07cat.png\n", "exits": [65]}}
    (shell.folder / "script.json").write_text(json.dumps(script))

    ended = shell("run", "small.yaml")

    assert "cannot read \ufffd]0;window\ufffdcat.png" in ended.err
    assert "\x1b" not in ended.err + ended.out


def test_a_folder_with_a_hostile_name_is_made_visible(shell: Shell) -> None:
    home = shell.folder / "ho\x1b[31mme"

    assert "ho\ufffd[31mme" in shell("status", "--home", str(home)).out


def test_colours_of_ours_reach_a_terminal(shell: Shell) -> None:
    shell.monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shell.monkeypatch.delenv("NO_COLOR", raising=False)

    assert "\x1b[31m" in shell("plan", "missing.yaml").err
