"""A matrix from the command line: planned, written, run once, told and delivered by variant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import Exit

MATRIX = SPEC + "matrix: {loops.outer_loops: [2, 3], budget.images_per_class: [1, 2]}\n"
NAMES = [f"ipc-{budget}-outer_loops-{count}" for budget in (1, 2) for count in (2, 3)]
SHARED_EVALUATIONS = 6
"""Of the random sets and the start, at two budgets: they do not depend on the loops."""


@pytest.fixture
def matrix(shell: Shell) -> Shell:
    """A shell with a matrix, whose distilled sets are worth 10 points a loop."""
    shell.write("many.yaml", MATRIX)
    script: dict[str, Any] = {
        f"evaluate/convnet2-w8/{repeat}@{name}": _accuracy(int(name[-1]) / 10 + repeat / 100)
        for name in NAMES
        for repeat in (0, 1)
    }
    (shell.folder / "script.json").write_text(json.dumps(script))
    return shell


def _accuracy(value: float) -> dict[str, Any]:
    return {"result": {"metrics": {"accuracy": value}}}


def means(answer: Any) -> dict[str, float]:
    """Return the mean accuracy of the distilled set of each variant."""
    return {
        one["name"]: one["results"][0]["accuracy_mean"]
        for one in answer["variants"]
        if one["results"]
    }


def test_a_run_makes_what_variants_share_once(matrix: Shell) -> None:
    ended = matrix("run", "many.yaml", "--json")

    assert ended.code == 0, ended.err
    labels = [stage["label"] for stage in ended.json["stages"]]
    assert sum(label.startswith(("prepare", "pool")) for label in labels) == 4
    assert sum(label.startswith("distill") for label in labels) == 4
    assert sum(label.startswith(("evaluate/r", "evaluate/i")) for label in labels) == (
        SHARED_EVALUATIONS
    )
    assert means(ended.json) == pytest.approx(
        {name: int(name[-1]) / 10 + 0.005 for name in NAMES}, abs=1e-9
    )
    assert ended.json["variants"][2]["settings"] == {
        "budget.images_per_class": 2,
        "loops.outer_loops": 2,
    }


def test_each_set_is_delivered_in_a_folder_of_its_variant(matrix: Shell) -> None:
    answer = matrix("run", "many.yaml", "--json").json

    for one in answer["variants"]:
        folder = matrix.home / "results" / "small" / one["name"]
        measured = json.loads((folder / "results.json").read_text())
        assert measured["plan"] == one["plan"]
        assert Path(one["set"]).samefile(folder / "synthetic.safetensors")
    assert sorted(path.name for path in (matrix.home / "results" / "small").iterdir()) == NAMES


def test_the_table_has_a_line_a_variant(matrix: Shell) -> None:
    out = matrix("run", "many.yaml").out

    assert "A small experiment · 4 variants, 28 stages" in out
    lines = {line.split()[0]: line for line in out.splitlines() if line.startswith(" ipc-")}
    assert list(lines) == NAMES
    assert "20.5 ± 0.7 (2)" in lines["ipc-1-outer_loops-2"]
    assert max(map(len, out.splitlines())) <= 100


def test_globs_restrict_a_run_and_its_results(matrix: Shell) -> None:
    ran = matrix("run", "many.yaml", "--variant", "ipc-1-*", "--json").json
    told = matrix("results", "many.yaml", "--json").json

    assert [one["name"] for one in ran["variants"]] == NAMES[:2]
    assert sorted(means(told)) == NAMES[:2]
    assert {one["state"] for one in told["stages"]} == {"in store", "not in store"}


def test_a_rehearsal_of_the_rest_leaves_out_what_is_there(matrix: Shell) -> None:
    matrix("run", "many.yaml", "--variant", NAMES[0])

    out = matrix("run", "many.yaml", "--variant", NAMES[1], "--dry-run").out

    assert [line.split()[1] for line in out.splitlines()[:-1]] == [
        f"distill@{NAMES[1]}",
        *(f"evaluate/convnet2-w8/{repeat}@{NAMES[1]}" for repeat in (0, 1)),
    ]


def test_a_variant_that_is_not_there_is_a_mistake_in_the_command(matrix: Shell) -> None:
    ended = matrix("results", "many.yaml", "--variant", "ipc-3-outer_loops-2")

    assert ended.code == 2
    assert "did you mean `ipc-2-outer_loops-2`?" in ended.err


def test_a_variant_that_was_run_alone_is_in_the_store_of_the_matrix(matrix: Shell) -> None:
    matrix.write("alone.yaml", SPEC.replace("name: small", "name: alone"))
    matrix("run", "alone.yaml")

    told = matrix("results", "many.yaml", "--json").json

    found = [one["label"] for one in told["stages"] if one["state"] == "in store"]
    assert f"distill@{NAMES[0]}" in found
    assert f"distill@{NAMES[1]}" not in found


def test_a_written_plan_of_a_matrix_runs_without_its_spec(matrix: Shell) -> None:
    matrix("plan", "many.yaml", "-o", "many.plan.yaml")
    answer = matrix("run", "many.yaml", "--json").json
    (matrix.folder / "many.yaml").unlink()

    again = matrix("run", "many.plan.yaml", "--json").json

    assert {one["state"] for one in again["stages"]} <= {"in store", "not needed"}
    assert again["variants"] == answer["variants"]
    assert again["plan"] == answer["plan"]


def test_a_written_plan_is_current_until_its_spec_moves(matrix: Shell) -> None:
    matrix("plan", "many.yaml", "-o", "many.plan.yaml")

    assert matrix("plan", "many.yaml", "--check", "many.plan.yaml").code == 0
    (matrix.folder / "many.yaml").write_text("# a comment\n" + MATRIX)
    assert matrix("plan", "many.yaml", "--check", "many.plan.yaml").code == 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param("[2, 3]", "[2, 4]", "`variant ipc-1-outer_loops-3`", id="another axis"),
        pytest.param("epochs: 1", "epochs: 2", "`pool.epochs`", id="what all variants share"),
        pytest.param("matrix:", "title: x\n#", "`variant ipc-1-outer_loops-2`", id="no matrix"),
    ],
)
def test_a_plan_of_a_matrix_that_no_longer_follows_is_refused(
    matrix: Shell, old: str, new: str, told: str
) -> None:
    matrix("plan", "many.yaml", "-o", "many.plan.yaml")
    text = MATRIX.replace("title: A small experiment\n", "")
    matrix.write("many.yaml", text.replace(old, new))

    checked = matrix("plan", "many.yaml", "--check", "many.plan.yaml")
    run = matrix("run", "many.plan.yaml")

    assert (checked.code, run.code) == (4, 4)
    assert told in checked.err
    assert told in run.err


def test_validating_counts_variants_and_stages(matrix: Shell) -> None:
    assert "28 stages" in matrix("validate", "many.yaml").out


def test_problems_of_a_matrix_are_told_as_data(matrix: Shell) -> None:
    matrix.write("bad.yaml", SPEC + "matrix:\n  pool.epoch: [1]\n  budget.images_per_class: [0]\n")

    answer = matrix("validate", "bad.yaml", "--json").json

    assert [(one["line"], one["column"]) for one in answer["problems"]] == [(16, 3), (17, 29)]


def test_a_plan_file_holds_all_variants(matrix: Shell) -> None:
    ended = matrix("plan", "many.yaml", "--variant", NAMES[0], "-o", "many.plan.yaml")

    assert ended.code == 2
    assert "holds all variants" in ended.err
    assert not (matrix.folder / "many.plan.yaml").exists()


def test_a_plan_is_shown_for_some_variants(matrix: Shell) -> None:
    out = matrix("plan", "many.yaml", "--variant", "ipc-1-*", "--stages").out

    assert f"distill@{NAMES[0]}" in out
    assert NAMES[2] not in out


@pytest.mark.parametrize("variants", [["dm"], ["idm"], ["dm", "idm"]], ids="-".join)
def test_where_paper_and_code_disagree_is_told_of_the_first_variant_shown(
    shell: Shell, variants: list[str]
) -> None:
    presets = "".join(f"    - {{name: {name}, preset: {name}}}\n" for name in ("dm", "idm"))
    shell.write(
        "x.yaml",
        "name: x\ndataset: {kind: cifar10}\nbudget: {images_per_class: 1}\n"
        f"matrix:\n  include:\n{presets}",
    )
    asked = [word for name in variants for word in ("--variant", name)]

    found = shell("plan", "x.yaml", *asked, "--json").json

    told = {one["where"].partition(".yaml")[0].rpartition("/")[2] for one in found["disagreements"]}
    assert told == {variants[0]}


def test_what_a_variant_breaks_of_its_preset_is_told_at_the_variant(shell: Shell) -> None:
    shell.write(
        "x.yaml",
        "name: x\npreset: acc_dd\ndataset: {kind: cifar10}\nbudget: {images_per_class: 10}\n"
        "matrix:\n  variants:\n    fast: {loops.outer_loops: 50}\n"
        "    slow: {loops.outer_loops: 300}\n",
    )

    ended = shell("validate", "x.yaml")

    assert ended.code == Exit.INVALID
    assert ended.err.splitlines()[0] == (
        "error: x.yaml:7:31: snapshots must lie before outer_loops, which is 50: 100 does not; "
        "`snapshots: []` has none"
    )


def test_values_that_are_sections_are_told_apart(shell: Shell) -> None:
    shell.write(
        "x.yaml",
        "name: x\npreset: acc_dd\ndataset: {kind: cifar10}\nbudget: {images_per_class: 10}\n"
        "matrix:\n  perturbation.coefficient:\n    - {law: fixed, value: 1}\n"
        "    - {law: uniform_signed, low: 0.01, high: 0.02}\n",
    )

    out = shell("plan", "x.yaml").out

    assert "  law fixed, value 1 · high 0.02, law uniform_signed, low 0.01\n" in out
