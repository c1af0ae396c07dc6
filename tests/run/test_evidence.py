"""Replicates are found, and rows are called as people call methods."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ddspec.plan.compile import compile_noted
from ddspec.plan.ir import Plan
from ddspec.run.costs import Cost
from ddspec.run.evidence import Evidence, evidence_of, methods_of
from ddspec.run.scores import Score
from ddspec.spec.load import load_spec

SPEC = """\
name: named
dataset: {kind: cifar10}
budget: {images_per_class: 10}
"""


def plan_of(tmp_path: Path, text: str) -> Plan:
    (tmp_path / "s.yaml").write_text(SPEC + text)
    return compile_noted(load_spec(tmp_path / "s.yaml"), None)[0]


def score(*accuracies: float) -> Score:
    return Score("distilled", "convnet3", "brief", "test", accuracies, planned=len(accuracies))


def evidence(seed: int | None, *accuracies: float, method: str | None = "m") -> Evidence:
    return Evidence("s.yaml", "s", method=method, seed=seed, scores=(score(*accuracies),))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("preset: acc_dd\n", ["Acc-DD"], id="preset"),
        pytest.param(
            "preset: acc_dd\nmatrix: {preset.variant: [5x, 10x]}\n",
            ["Acc-DD 5x", "Acc-DD 10x"],
            id="variants of a preset",
        ),
        pytest.param(
            "matrix: {preset: [dc, dsa], budget.images_per_class: [1, 10]}\n",
            ["DC", "DC", "DSA", "DSA"],
            id="budgets stand elsewhere",
        ),
        pytest.param("preset: dm\nmatrix: {seed: [0, 1]}\n", ["DM", "DM"], id="and so do seeds"),
        pytest.param(
            "matrix: {include: [{name: teddy-post-10, preset: teddy_post},"
            " {name: idc-i-10, preset: {name: idc, variant: idc-i}}]}\n",
            ["Teddy post 10", "IDC-i 10"],
            id="a number that is no budget of the matrix stays",
        ),
        pytest.param(
            "preset: dm\nmatrix: {dataset: [{kind: mnist}, {kind: fashion_mnist}]}\n",
            ["DM", "DM"],
            id="datasets",
        ),
        pytest.param(
            "preset: dm\nmatrix: {variants: {as_is: {loops.outer_loops: 3},"
            " early_on: {loops.outer_loops: 2}}}\n",
            ["DM as_is", "DM early_on"],
            id="what else differs is told as the spec does",
        ),
        pytest.param(
            "preset: dm\nevaluate: {baselines: {init: 0}}\n"
            "imported: {layout: dc, space: normalised, files: "
            f"[{{path: a.pt, sha256: {'ab' * 32}}}]}}\n",
            ["DM (imported)"],
            id="what others distilled",
        ),
    ],
)
def test_rows_are_called_by_preset_and_variant(tmp_path: Path, text: str, rows: list[str]) -> None:
    found = evidence_of(plan_of(tmp_path, text), None)

    assert [one.row for one in found] == rows


def test_seeds_alone_make_replicates(tmp_path: Path) -> None:
    text = "preset: dm\nmatrix: {loops.outer_loops: [10, 20], seed: [2, 1]}\n"

    found = methods_of(evidence_of(plan_of(tmp_path, text), None))

    assert [[one.seed for one in method.replicates] for method in found] == [[1, 2], [1, 2]]
    assert len({method.first.method for method in found}) == 2


def test_an_imported_set_is_one_set_under_every_seed(tmp_path: Path) -> None:
    files = f"[{{path: a.pt, sha256: {'ab' * 32}}}]"
    text = (
        "preset: dm\nreplicates: 3\nevaluate: {baselines: {init: 0}}\n"
        "parameterization: {space: normalised}\n"
        f"imported: {{layout: dc, files: {files}, space: normalised}}\n"
    )

    found = methods_of(evidence_of(plan_of(tmp_path, text), None))

    assert [[one.seed for one in method.replicates] for method in found] == [[0], [1], [2]]


def test_what_is_expected_and_how_work_is_laid_out_is_no_other_method(tmp_path: Path) -> None:
    more = "title: Another\nresources: {shards: 2}\n"

    (one,) = evidence_of(plan_of(tmp_path, "preset: dm\n"), None)
    (other,) = evidence_of(plan_of(tmp_path, f"preset: dm\n{more}"), None)

    assert one.method == other.method


def test_levels_hold_the_repeats_of_each_replicate() -> None:
    (method,) = methods_of([evidence(1, 0.5, 0.6), evidence(0, 0.7)])

    assert method.levels("distilled", "convnet3", "brief", "test") == ((0.7,), (0.5, 0.6))
    assert method.levels("random", "convnet3", "brief", "test") == ()


def test_of_one_seed_what_knows_more_counts() -> None:
    (method,) = methods_of([evidence(0, 0.5), evidence(0, 0.5, 0.6), evidence(0)])

    assert method.levels("distilled", "convnet3", "brief", "test") == ((0.5, 0.6),)


def test_replicates_are_called_as_most_of_them_are() -> None:
    alone = replace(evidence(0, 0.5), row="one", name="one")
    several = [replace(evidence(seed, 0.5), row="many of them", name="many") for seed in range(3)]

    (method,) = methods_of([*several, alone])

    assert [one.row for one in method.replicates] == ["one", "many of them", "many of them"]
    assert method.named.row == "many of them"


def test_what_does_not_tell_its_method_stands_alone() -> None:
    found = methods_of([evidence(None, 0.5, method=None), evidence(None, 0.6, method=None)])

    assert [len(method.replicates) for method in found] == [1, 1]


@pytest.mark.parametrize(
    ("device", "unit"),
    [
        pytest.param("cpu", "CPU-hours", id="processor"),
        pytest.param("NVIDIA H200", "GPU-hours", id="accelerator"),
        pytest.param("NVIDIA A100, NVIDIA H200", "GPU-hours", id="two of them"),
        pytest.param("NVIDIA H200, cpu", "hours", id="both kinds"),
        pytest.param("", "hours", id="unknown"),
    ],
)
def test_hours_are_of_what_they_ran_on(device: str, unit: str) -> None:
    assert Cost(3600.0, device).unit == unit


def test_without_a_store_every_stage_is_missing(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "preset: dm\n")

    (found,) = evidence_of(plan, None)

    assert found.missing == tuple(stage.label for stage in plan)
    assert (found.scores, found.cost.seconds) == ((), None)
    assert replace(found, plan=None) == found  # a plan is a way to know, and no part of it
