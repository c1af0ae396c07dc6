"""Published numbers of all specs in a folder: counted by table, and told with their evidence."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import Exit
from ddspec.store.store import open_store

# The fake evaluations of these variants find these, three times or twice.
ACCURACIES = {
    "met": (0.60, 0.60, 0.60),
    "near": (0.58, 0.60, 0.62),
    "off": (0.30, 0.30, 0.30),
    "better": (0.70, 0.70, 0.71),
    "chance": (0.55, 0.60, 0.66),
}
MATRIX = """\
name: table
title: "A table | of a paper"
dataset: {kind: digits, validation: 0.2}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 8}
pool: {kind: recorded, models: 1, epochs: 1}
inner: {kind: frozen}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 0.1}
loops: {inner_steps: 1}
evaluate:
  protocol: {name: brief, steps: 10}
  repeats: 3
matrix:
  include:
    - name: met
      loops.outer_loops: 1
      expect: [{accuracy: 0.6, source: "A (X 2020), Table 1"}]
    - name: near
      loops.outer_loops: 2
      expect: [{accuracy: 0.6, source: "A (X 2020), Table 1: in bold"}]
    - name: off
      loops.outer_loops: 3
      expect: [{accuracy: 0.6, source: "A (X 2020), Table 2"}]
    - name: better
      loops.outer_loops: 4
      expect: [{above: met, source: "A (X 2020), Fig. 1"}]
    - name: chance
      loops.outer_loops: 5
      expect: [{above: near, source: "A (X 2020), Fig. 1"}]
    - name: elsewhere
      loops.outer_loops: 6
      expect: [{accuracy: 0.6, protocol: idc, source: "B, Table 9"}]
    - name: left
      loops.outer_loops: 7
      expect: [{accuracy: 0.6, source: "B, Table 9"}]
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the store lies that the first test makes for all."""
    return tmp_path_factory.mktemp("kept") / "store"


@pytest.fixture
def folder(shell: Shell, kept: Path) -> Path:
    """Return a folder of specs, of which some variants were run."""
    (shell.folder / "papers" / "a").mkdir(parents=True)
    shell.write("papers/a/table.yaml", MATRIX)
    if not kept.exists():
        _run(shell)
        shutil.copytree(shell.home, kept)
    elif not shell.home.exists():
        shutil.copytree(kept, shell.home)
    return shell.folder / "papers"


def _run(shell: Shell) -> None:
    script = {
        f"evaluate/convnet2-w8/{repeat}@{name}": {"result": {"metrics": {"accuracy": value}}}
        for name, values in ACCURACIES.items()
        for repeat, value in enumerate(values)
    }
    (shell.folder / "script.json").write_text(json.dumps(script))
    names = [word for name in ACCURACIES for word in ("--variant", name)]
    assert shell("run", "papers/a/table.yaml", *names).code == Exit.DONE


def cells(text: str, first: str) -> list[str]:
    """Return the words of the first line that begins with some."""
    return next(line for line in text.splitlines() if line.strip().startswith(first)).split()


@pytest.mark.usefixtures("folder")
def test_every_verdict_is_counted_by_table(shell: Shell) -> None:
    answer = shell("verify", "papers", "--json")

    counts = {
        (row["paper"], row["table"]): {k: n for k, n in row["verdicts"].items() if n}
        for row in answer.json["tables"]
    }
    assert counts == {
        ("A (X 2020)", "Fig. 1"): {"reproduced": 1, "ahead, not surely": 1},
        ("A (X 2020)", "Table 1"): {"reproduced": 1, "within tolerance": 1},
        ("A (X 2020)", "Table 2"): {"off": 1},
        ("B", "Table 9"): {"not comparable": 1, "not run yet": 1},
    }
    assert (answer.code, answer.json["exit"]) == (Exit.FAILED, Exit.FAILED)


@pytest.mark.usefixtures("folder")
def test_the_summary_has_the_counts_and_what_was_measured(shell: Shell) -> None:
    text = shell("verify", "papers").out

    assert cells(text, "A (X 2020)  Fig. 1")[-7:] == ["2", "1", "-", "1", "-", "-", "-"]
    assert cells(text, "together")[-7:] == ["7", "2", "1", "1", "1", "1", "1"]
    assert " ".join(cells(text, "off ")) == (
        "off convnet2-w8 60.0 ± 1.0 30.0 ± 0.0 n 3 off by -30.0 ± 0.0 off"
    )
    assert "ahead by +10.3" in text
    assert "`ddspec run papers/a/table.yaml --variant better --variant met`" in text
    assert not any(line.strip().startswith("left  ") for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.usefixtures("folder")
def test_what_was_not_run_is_listed_when_asked_for(shell: Shell) -> None:
    text = shell("verify", "papers", "--all").out

    assert cells(text, "left ")[-3:] == ["not", "run", "yet"]


@pytest.mark.usefixtures("folder")
def test_the_evidence_names_evaluations_device_and_day(shell: Shell) -> None:
    (document,) = shell("verify", "papers", "--json").json["documents"]
    found = next(one for one in document["expectations"] if one["variant"] == "off")

    assert found["evidence"]["keys"] == found["measured"]["keys"]
    assert len(found["evidence"]["dates"]) == 1
    results = shell("results", "papers/a/table.yaml", "--json").json
    distilled = next(one["key"] for one in results["stages"] if one["label"] == "distill@off")
    assert found["evidence"]["sets"] == [distilled]
    assert found["evidence"]["command"] == "ddspec run papers/a/table.yaml --variant off"


def test_recorded_results_count_where_the_store_has_none(shell: Shell) -> None:
    expecting = f"{SPEC}expect: [{{accuracy: 0.86, tolerance: 0.02, source: T}}]\n"
    (shell.folder / "specs").mkdir()
    shell.write("specs/small.yaml", expecting)
    shell("run", "specs/small.yaml")
    results = shell("results", "specs/small.yaml", "--json").json
    made = {"command": "c", "devices": ["an abacus"], "dates": ["2026-11-20"]}
    asked: dict[str, object] = {"common": {}, "variants": {"": {}}}
    (shell.folder / "specs/measured").mkdir()
    record = {**results, "made": made, "asked": asked}
    shell.write("specs/measured/small.json", json.dumps(record))

    (here,) = shell("verify", "specs", "--json").json["documents"]
    ended = shell("verify", "specs", "--home", "elsewhere", "--json")
    (elsewhere,) = ended.json["documents"]
    text = shell("verify", "specs", "--home", "elsewhere").out
    shell.write("specs/small.yaml", expecting.replace("outer_loops: 2", "outer_loops: 3"))
    moved = shell("verify", "specs", "--home", "elsewhere").code

    assert here["expectations"][0]["evidence"]["recorded"] is None
    assert (ended.code, moved) == (Exit.DONE, Exit.CHANGED)
    assert elsewhere["expectations"][0]["verdict"] == "within tolerance"
    assert elsewhere["expectations"][0]["evidence"]["devices"] == ["an abacus"]
    assert elsewhere["left"]["stages"] == 0
    assert "recorded in specs/measured/small.json" in " ".join(text.split())


@pytest.mark.usefixtures("folder")
def test_a_damaged_evaluation_is_named_and_counts_as_not_run(shell: Shell) -> None:
    results = shell("results", "papers/a/table.yaml", "--json").json
    keys = [
        one["key"]
        for one in results["stages"]
        if one["label"].startswith("evaluate") and one["label"].endswith("@met")
    ]
    for key in keys:
        path = open_store(shell.home).layout.object(key) / "result.json"
        path.chmod(0o644)
        path.write_text("{}")

    text = shell("verify", "papers").out

    assert "damaged" in text
    assert "evaluate/convnet2-w8/0@met: result.json has 2 bytes instead of" in text
    assert cells(text, "A (X 2020)  Fig. 1")[-1] == "1"  # nothing is known that it is above


@pytest.mark.usefixtures("folder")
def test_a_spec_that_does_not_compile_is_named_and_the_others_are_shown(shell: Shell) -> None:
    shell.write("papers/broken.yaml", SPEC.replace("models: 2", "models: many"))

    ended = shell("verify", "papers")

    assert ended.code == Exit.INVALID
    assert "papers/broken.yaml:6" in ended.err
    assert cells(ended.out, "not read") == ["not", "read", "papers/broken.yaml"]
    assert cells(ended.out, "together")[-7] == "7"


@pytest.mark.usefixtures("folder")
def test_a_file_that_others_extend_need_not_be_a_spec(shell: Shell) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True)  # what is extended lies in a repository
    shell.write("papers/base.yaml", "dataset: {kind: digits}\n")
    child = MATRIX.replace("name: table", "name: child\nextends: ../base.yaml")
    shell.write("papers/a/child.yaml", child)

    ended = shell("verify", "papers")

    assert (ended.code, ended.err) == (Exit.FAILED, "")
    assert cells(ended.out, "together")[-7] == "14"


@pytest.mark.usefixtures("folder")
def test_a_spec_that_is_named_itself_must_compile(shell: Shell) -> None:
    shell.write("broken.yaml", SPEC.replace("models: 2", "models: many"))

    ended = shell("verify", "papers", "broken.yaml")

    assert (ended.code, ended.out) == (Exit.INVALID, "")


@pytest.mark.usefixtures("folder")
def test_markdown_escapes_what_specs_say(shell: Shell) -> None:
    hostile = MATRIX.replace("A (X 2020)", "A | <b>@all</b>").replace("name: table", "name: other")
    shell.write("papers/other.yaml", hostile)

    text = shell("verify", "papers", "--format", "markdown").out

    assert "| A &#124; &#60;b&#62;&#64;&#8203;all&#60;/b&#62; |" in text
    assert "**off**" in text
    widths = {line.count(" | ") for line in text.splitlines() if line.startswith("| A ")}
    assert len(widths) == 1


@pytest.mark.usefixtures("folder")
def test_what_specs_share_is_left_to_run_once(shell: Shell) -> None:
    shell.write("papers/again.yaml", MATRIX.replace("name: table", "name: again"))

    answer = shell("verify", "papers", "--json", "--gpu", "cpu").json

    lefts = [one["left"]["stages"] for one in answer["documents"]]
    assert lefts == [answer["left"]["stages"]] * 2
    assert answer["left"]["seconds"] is not None


def test_plans_locks_links_and_other_files_are_no_specs(shell: Shell) -> None:
    (shell.folder / "specs" / ".hidden").mkdir(parents=True)
    expecting = SPEC + "expect: [{accuracy: 0.86, source: Table 1}]\n"
    shell.write("specs/e.yaml", expecting)
    assert shell("plan", "specs/e.yaml", "-o", "specs/e.plan.yaml").code == Exit.DONE
    shell.write("specs/.hidden/f.yaml", expecting)
    shell.write("specs/notes.yaml", "about: nothing\n")
    (shell.folder / "specs" / "link.yaml").symlink_to("e.yaml")

    answer = shell("verify", "specs", "--json")

    assert [one["file"] for one in answer.json["documents"]] == ["specs/e.yaml"]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([], id="empty"),
        pytest.param(["small.yaml"], id="nothing expected"),
    ],
)
def test_a_folder_without_expectations_is_a_mistake_of_usage(
    shell: Shell, files: Sequence[str]
) -> None:
    (shell.folder / "specs").mkdir()
    for file in files:
        shell.write(f"specs/{file}", SPEC)

    assert shell("verify", "specs").code == Exit.USAGE
