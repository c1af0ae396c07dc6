"""`ddspec gallery`: recorded, printed, written and checked, from a folder of specs."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from fake_cli import SPEC, Shell

from ddspec.canon import Json
from ddspec.cli import gallery_record
from ddspec.errors import Exit
from ddspec.store.store import open_store

PNG = b"a small picture"
HEADED = f"# Small things.\n#\n# Not of interest.\n{SPEC}"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the store lies that the first test makes for all."""
    return tmp_path_factory.mktemp("kept") / "store"


@pytest.fixture
def made(shell: Shell, monkeypatch: pytest.MonkeyPatch, kept: Path) -> Shell:
    """Return a shell with one finished spec and one that was not run, and a drawing of sheets."""

    def ask(tool: str, question: Json) -> Json:
        assert tool == "sheet"
        return {"png": base64.b64encode(PNG).decode()}

    monkeypatch.setattr(gallery_record, "ask", ask)
    (shell.folder / "specs" / "papers").mkdir(parents=True)
    shell.write("specs/small.yaml", HEADED)
    other = SPEC.replace("name: small", "name: other").replace("outer_loops: 2", "outer_loops: 4")
    shell.write("specs/papers/other.yaml", f"{other}expect: [{{accuracy: 0.5, source: T}}]\n")
    if not kept.exists():
        assert shell("run", "specs/small.yaml").code == Exit.DONE
        shutil.copytree(shell.home, kept)
    elif not shell.home.exists():
        shutil.copytree(kept, shell.home)
    return shell


@pytest.fixture
def recorded(made: Shell) -> Shell:
    """Return the same with what was measured recorded, and a page of it."""
    ended = made("gallery", "specs", "--record", "specs/small.yaml", "-o", "specs/README.md")
    assert ended.code == Exit.DONE
    return made


def record_of(shell: Shell) -> Any:
    return json.loads((shell.folder / "specs/measured/small.json").read_text())


def test_results_and_a_picture_are_recorded_without_a_path_of_this_machine(
    recorded: Shell,
) -> None:
    found = record_of(recorded)

    results = recorded("results", "specs/small.yaml", "--json").json
    assert found["results"] == results["results"]
    assert found["plan"] == results["plan"]
    assert found["made"]["command"] == "ddspec run specs/small.yaml"
    assert found["asked"]["common"]["loops.outer_loops"] == 2
    assert str(recorded.folder) not in json.dumps(found)
    assert "images" not in found
    assert (recorded.folder / "specs/pictures/small.png").read_bytes() == PNG


def test_the_page_tells_what_was_measured_and_what_was_not(recorded: Shell) -> None:
    page = (recorded.folder / "specs/README.md").read_text()

    assert "2 specs: 1 measured, 1 not run yet." in page
    assert "### [small](small.yaml) · A small experiment" in page
    assert "![Images of small](pictures/small.png)" in page
    assert "Small things.\n" in page
    row = "| convnet2-w8 | 85.0 ± 7.1 (n 2) | random 60.0 ± 14.1 (n 2) | +25.0 ± 11.2 |"
    assert row in page.replace("&nbsp;", " ")
    assert "measured for exactly this plan" in page
    assert "[other](papers/other.yaml)" in page


def test_drawings_that_a_spec_names_are_linked(recorded: Shell) -> None:
    named = HEADED.replace("# Not of interest.", "#   ddspec plot specs/small.yaml -o curve.svg")
    recorded.write("specs/small.yaml", named)
    for name in ("curve.svg", "other.svg"):
        recorded.write(f"specs/{name}", "<svg/>")

    page = recorded("gallery", "specs").out

    assert "[curve.svg](curve.svg)" in page
    assert "other.svg" not in page


def test_recorded_results_stand_for_their_spec_in_tables(recorded: Shell) -> None:
    path = "specs/measured/small.json"

    table = recorded("results", path, "--home", "nowhere").out

    assert "85.0 ± 7.1 (2)" in table
    assert "a file does not tell" not in table


def test_a_page_that_is_current_passes_the_check(recorded: Shell) -> None:
    ended = recorded("gallery", "specs", "--check")

    assert (ended.code, ended.out) == (Exit.DONE, "")
    assert "current, 2 specs" in ended.err


def test_printed_and_written_pages_are_the_same(recorded: Shell) -> None:
    printed = recorded("gallery", "specs").out

    assert printed == (recorded.folder / "specs/README.md").read_text()


def test_an_edited_spec_makes_its_results_stale_and_says_which_setting_moved(
    recorded: Shell,
) -> None:
    recorded.write("specs/small.yaml", HEADED.replace("outer_loops: 2", "outer_loops: 3"))

    checked = recorded("gallery", "specs", "--check")
    page = recorded("gallery", "specs").out
    (small,) = [
        one for one in recorded("gallery", "specs", "--json").json["specs"] if one["record"]
    ]

    assert checked.code == Exit.CHANGED
    assert "specs/README.md:" in checked.err
    assert "**stale: measured for an older plan** (`loops.outer_loops` was 2, is 3)" in page
    assert small["state"] == "stale"


def test_a_new_title_makes_the_page_stale_but_no_result(recorded: Shell) -> None:
    recorded.write("specs/small.yaml", HEADED.replace("A small experiment", "Another title"))

    assert recorded("gallery", "specs", "--check").code == Exit.CHANGED
    assert "measured for exactly this plan" in recorded("gallery", "specs").out


@pytest.mark.parametrize(
    "path",
    ["specs/pictures/gone.png", "specs/measured/gone.json", "specs/pictures/papers/other.png"],
)
def test_files_of_no_spec_are_named_by_the_check(recorded: Shell, path: str) -> None:
    (recorded.folder / path).parent.mkdir(exist_ok=True)
    recorded.write(path, "{}")

    ended = recorded("gallery", "specs", "--check")

    assert ended.code == Exit.CHANGED
    assert f"{path}: belongs to no spec" in ended.err


def test_a_missing_page_fails_the_check(recorded: Shell) -> None:
    (recorded.folder / "specs/README.md").unlink()

    ended = recorded("gallery", "specs", "--check")

    assert ended.code == Exit.CHANGED
    assert "there is no such page yet" in ended.err


def test_an_unfinished_plan_is_not_recorded_and_what_is_missing_is_said(made: Shell) -> None:
    ended = made("gallery", "specs", "--record", "specs/papers/other.yaml")

    assert ended.code == Exit.REFUSED
    assert "distill" in ended.err
    assert "evaluate/convnet2-w8/0..1" in ended.err
    assert not (made.folder / "specs/measured").exists()


def test_a_damaged_evaluation_is_named_and_nothing_recorded(made: Shell) -> None:
    stages = made("results", "specs/small.yaml", "--json").json["stages"]
    key = next(one["key"] for one in stages if one["label"] == "evaluate/convnet2-w8/1")
    path = open_store(made.home).layout.object(key) / "result.json"
    path.chmod(0o644)
    path.write_text("{}")

    ended = made("gallery", "specs", "--record", "specs/small.yaml")

    assert ended.code == Exit.REFUSED
    assert "evaluate/convnet2-w8/1 is damaged: result.json has 2 bytes" in ended.err


def test_without_a_store_nothing_is_recorded(made: Shell) -> None:
    ended = made("gallery", "specs", "--record", "specs/small.yaml", "--home", "nowhere")

    assert ended.code == Exit.REFUSED
    assert not (made.folder / "nowhere").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("specs", "--record", "small.yaml"), id="a spec elsewhere"),
        pytest.param(("specs", "--check", "--record", "specs/small.yaml"), id="both"),
        pytest.param(("nowhere",), id="no folder"),
        pytest.param(("specs", "-o", "specs/small.yaml"), id="a file that is no page"),
        pytest.param(("specs", "-o", "specs"), id="a folder"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_lost(
    made: Shell, arguments: tuple[str, ...]
) -> None:
    ended = made("gallery", *arguments)

    assert ended.code == Exit.USAGE
    assert (made.folder / "specs/small.yaml").read_text() == HEADED


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param('"ddspec.results/1"', '"ddspec.results/9"', "ddspec.results/9", id="format"),
        pytest.param("0.8,", "8.5,", "accuracies", id="no accuracy"),
        pytest.param("{", "", "small.json", id="no JSON"),
    ],
)
def test_damaged_records_are_located(recorded: Shell, old: str, new: str, told: str) -> None:
    path = recorded.folder / "specs/measured/small.json"
    path.write_text(path.read_text().replace(old, new, 1))

    ended = recorded("gallery", "specs")

    assert (ended.code, ended.out) == (Exit.INVALID, "")
    assert told in ended.err
    assert "specs/measured/small.json" in ended.err


def test_specs_that_do_not_compile_are_all_named(recorded: Shell) -> None:
    for name in ("one", "two"):
        recorded.write(f"specs/{name}.yaml", SPEC.replace("models: 2", "models: many"))

    ended = recorded("gallery", "specs")

    assert (ended.code, ended.out) == (Exit.INVALID, "")
    assert "specs/one.yaml:6" in ended.err
    assert "specs/two.yaml:6" in ended.err


def test_recording_again_replaces_what_was_recorded(recorded: Shell) -> None:
    path: Path = recorded.folder / "specs/measured/small.json"
    before = path.read_bytes()

    assert recorded("gallery", "specs", "--record", "specs/small.yaml").code == Exit.DONE
    assert path.read_bytes() == before


def test_measured_results_are_judged_by_what_was_published(recorded: Shell) -> None:
    expecting = f"{HEADED}expect: [{{accuracy: 0.2, source: T}}]\n"
    recorded.write("specs/small.yaml", expecting)

    page = recorded("gallery", "specs").out

    assert "published rows: 1 off" in page
