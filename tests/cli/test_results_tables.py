"""Tables over documents from the command line: printed, written, unfinished and damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import Exit

BUDGETS = SPEC.replace("name: small", "name: budgets").replace(
    "budget: {images_per_class: 1}\n", ""
)
MATRIX = BUDGETS + "matrix: {budget.images_per_class: [1, 5], seed: [0, 1]}\n"


def scripted(shell: Shell, document: str, values: dict[tuple[int, int], float]) -> None:
    """Let evaluations of a matrix find accuracies, those of distilled sets by (budget, seed)."""
    plan = shell("results", document, "--json").json
    script = json.loads((shell.folder / "script.json").read_text())
    for stage in plan["stages"]:
        label = stage["label"]
        if label.startswith("evaluate/"):
            script[label] = {"result": {"metrics": {"accuracy": 0.1}}}
    for (budget, seed), value in values.items():
        for at in (0, 1):
            label = f"evaluate/convnet2-w8/{at}@seed-{seed}-ipc-{budget}"
            assert label in script
            script[label] = {"result": {"metrics": {"accuracy": value + at / 10}}}
    (shell.folder / "script.json").write_text(json.dumps(script))


def damage(shell: Shell, label: str, was: str, now: str) -> Path:
    """Change a stored result without a change of its size; return its folder."""
    stages = shell("results", "small.yaml", "--json").json["stages"]
    key: str = next(stage["key"] for stage in stages if stage["label"] == label)
    path = shell.home / "objects" / key[:2] / key / "result.json"
    assert was in path.read_text()
    path.write_text(path.read_text().replace(was, now))
    return path.parent


def test_one_document_has_a_table_where_it_is_asked_for(shell: Shell) -> None:
    shell("run", "small.yaml")

    ended = shell("results", "small.yaml", "--baseline", "random")

    assert ended.code == Exit.DONE
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert lines[:6] == [
        "digits of scikit-learn · convnet2-w8 by protocol brief, on test",
        "images per class 1",
        "small 85.0 ± 7.1 (2)",
        "random 60.0 ± 14.1 (2)",
        "init 40.0 (1)",
        "points above random",
    ]
    # two networks each tell nothing: 25 points are as good as none
    assert lines[6].startswith("small +25.0 [-")
    assert lines[6].endswith("]~")


def test_replicates_of_a_matrix_are_one_number(shell: Shell) -> None:
    shell.write("m.yaml", MATRIX)
    scripted(shell, "m.yaml", {(1, 0): 0.2, (1, 1): 0.4, (5, 0): 0.5, (5, 1): 0.6})
    shell("run", "m.yaml")

    ended = shell("results", "m.yaml", "--table")

    row = next(line for line in ended.out.splitlines() if "budgets" in line)
    # means over sets of 0.25 and 0.45, and of 0.55 and 0.65
    assert " ".join(row.split()) == "budgets 35.0 ± 14.1 (2 x 2) 60.0 ± 7.1 (2 x 2)"


def test_several_documents_and_folders_share_tables(shell: Shell) -> None:
    folder = shell.folder / "more"
    folder.mkdir()
    (folder / "other.yaml").write_text(SPEC.replace("name: small", "name: other"))
    shell("run", "small.yaml")

    ended = shell("results", "small.yaml", "more", "--json")

    (table,) = ended.json["tables"]
    # the other asks for the very same stages, so it is the same method of the same seed
    assert [row["name"] for row in table["rows"]] == ["small", "random", "init"]
    assert ended.json["format"] == "ddspec.table/1"
    assert (ended.json["missing"], ended.json["damaged"], ended.json["exit"]) == ([], [], 0)


def test_a_file_of_results_stands_in_tables_without_its_store(shell: Shell) -> None:
    shell("run", "small.yaml")
    shell.write("r.json", shell("results", "small.yaml", "--json").out)

    ended = shell("results", "r.json", "--home", str(shell.folder / "nothing"))

    assert "85.0 ± 7.1 (2)" in ended.out
    assert not (shell.folder / "nothing").exists()


def test_nothing_in_the_store_is_said_so(shell: Shell) -> None:
    ended = shell("results", "small.yaml", "--table")

    assert ended.code == Exit.DONE
    assert ended.out == " nothing is in the store yet of small.yaml\n"
    assert not shell.home.exists()


@pytest.mark.parametrize("more", [[], ["--table"]], ids=["alone", "table"])
def test_what_is_missing_is_named(shell: Shell, more: list[str]) -> None:
    script = json.loads((shell.folder / "script.json").read_text())
    script["evaluate/convnet2-w8/1"] = {"exits": [3] * 9}
    (shell.folder / "script.json").write_text(json.dumps(script))
    shell("run", "small.yaml")

    ended = shell("results", "small.yaml", *more)

    assert ended.code == Exit.DONE
    assert " missing in small.yaml: evaluate/convnet2-w8/1; `ddspec run small.yaml`" in ended.out
    assert ("80.0 (1 of 2)" if more else "1 of 2") in ended.out


@pytest.mark.parametrize("more", [[], ["--table"]], ids=["alone", "table"])
def test_what_is_damaged_is_named_and_the_rest_is_shown(shell: Shell, more: list[str]) -> None:
    shell("run", "small.yaml")
    place = damage(shell, "evaluate/convnet2-w8/0", "0.8", "0.9")

    ended = shell("results", "small.yaml", *more)

    assert ended.code == Exit.FAILED
    assert f" damaged: evaluate/convnet2-w8/0, key {place.name[:16]}: result.json" in ended.out
    assert str(place) in ended.out
    assert "`ddspec verify --store`" in ended.out
    assert "90.0" in ended.out
    assert place.is_dir()  # looking changes nothing


def test_damage_is_part_of_json(shell: Shell) -> None:
    shell("run", "small.yaml")
    damage(shell, "evaluate/convnet2-w8/0", "0.8", "0.9")

    ended = shell("results", "small.yaml", "--json")
    tables = shell("results", "small.yaml", "--table", "--json")

    assert (ended.code, tables.code) == (Exit.FAILED, Exit.FAILED)
    (damaged,) = ended.json["evidence"]["damaged"]
    assert damaged["label"] == "evaluate/convnet2-w8/0"
    assert tables.json["damaged"] == [damaged]


def test_a_plan_whose_data_nobody_locked_has_no_files(shell: Shell) -> None:
    shell("run", "small.yaml")
    shell.write("t.yaml", SPEC.replace("kind: digits, validation: 0.2", "kind: tiny_imagenet"))

    ended = shell("results", "t.yaml")

    assert ended.code == Exit.DONE
    assert "grid.png" not in ended.out
    assert " nothing is in the store yet of t.yaml" in ended.out


def test_a_table_is_written_whole_and_never_over_another_file(shell: Shell) -> None:
    shell("run", "small.yaml")
    command = ["results", "small.yaml", "--format", "latex", "-o", "t.tex"]

    first, second = shell(*command), shell(*command)

    written = (shell.folder / "t.tex").read_text()
    assert (first.code, first.out) == (Exit.DONE, "")
    assert "wrote t.tex" in first.err
    assert written.startswith("% needs")
    assert second.code == Exit.USAGE
    assert "`t.tex` is there already" in second.err
    (shell.folder / "t.tex").write_text("mine")
    assert shell(*command).code == Exit.USAGE
    assert (shell.folder / "t.tex").read_text() == "mine"
    assert shell(*command, "--force").code == Exit.DONE
    assert (shell.folder / "t.tex").read_text() == written


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--baseline", "dsa"], Exit.USAGE, "no row is called `dsa`", id="baseline"),
        pytest.param(
            ["--table", "--per-class"], Exit.USAGE, "`--per-class` is of one", id="per class"
        ),
        pytest.param(
            ["--json", "--format", "csv"], Exit.USAGE, "`--json` is not `--format csv`", id="both"
        ),
        pytest.param(
            ["-o", "no/where.txt"], Exit.UNABLE, "cannot write `no/where.txt`", id="no folder"
        ),
        pytest.param(["-o", "."], Exit.USAGE, "is there already", id="a folder"),
        pytest.param(["-o", ".", "--force"], Exit.USAGE, "is there already", id="forced"),
        pytest.param(["nowhere.yaml"], Exit.INVALID, "nowhere.yaml", id="no such document"),
    ],
)
def test_what_cannot_be_done_is_one_error(
    shell: Shell, arguments: list[str], code: Exit, words: str
) -> None:
    shell("run", "small.yaml")

    ended = shell("results", "small.yaml", *arguments)

    assert ended.code == code
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_a_damaged_file_of_results_is_an_error_with_its_place(shell: Shell) -> None:
    shell.write("r.json", '{"format": "ddspec.results/1", "name": 3}')

    ended = shell("results", "r.json")

    assert ended.code == Exit.INVALID
    assert "r.json" in ended.err
    assert "Traceback" not in ended.err
