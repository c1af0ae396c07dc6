"""What judging adds to a plan: looks at held-out images, and sets on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_families import planned as family

from ddspec.plan.codec import read_plan, write_plan
from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.run.scores import judged
from ddspec.spec.load import load_text

Plans = Callable[..., Plan]

NET = "convnet2-w32"
MATRIX = """\
name: both
preset: acc_dd
dataset: {kind: digits}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 1, width: 8}
pool: {models: 1, epochs: 1}
loops: {inner_steps: 2, outer_loops: 40, snapshots: []}
evaluate: {protocol: {name: short, steps: 5}, repeats: 2, baselines: {random: 0, init: 0}}
"""


def long(*snapshots: int, loops: int = 40, **changes: Any) -> dict[str, Any]:
    return {
        "loops": {"outer_loops": loops, "inner_steps": 10, "snapshots": list(snapshots)},
        **changes,
    }


def test_looks_take_the_validation_split_besides_the_test(planned: Plans) -> None:
    plan = planned(evaluate__best_on_validation=4)

    for label in (f"evaluate/{NET}/0", f"evaluate/random/{NET}/0", f"evaluate/full/{NET}/0"):
        stage = plan.stage(label)
        assert stage.upstream["validation"] == "prepare/validation"
        assert stage.upstream["test"] == "prepare/test"
        assert stage.work.best_on_validation == 4


def test_looking_changes_nothing_above_the_evaluations(planned: Plans) -> None:
    blind = planned()
    looking = planned(evaluate__best_on_validation=4)

    before, after = ({s.label: s.key for s in plan} for plan in (blind, looking))
    moved = {label for label, key in before.items() if after[label] != key}
    assert moved == {label for label in before if label.startswith("evaluate/")}
    assert set(after) - set(before) == {"prepare/validation"}


def test_every_snapshot_is_judged_like_the_last_set(planned: Plans) -> None:
    plan = planned(**long(10, 20, evaluate__snapshots=True))

    judged = [stage for stage in plan if stage.label.startswith("evaluate/to-")]
    assert [stage.label for stage in judged] == [
        f"evaluate/to-{loops}/{NET}/{repeat}" for loops in (10, 20, 40) for repeat in (0, 1)
    ]
    for stage in judged:
        repeat = stage.label.rpartition("/")[2]
        last = plan.stage(f"evaluate/to-40/{NET}/{repeat}")
        assert stage.work == last.work
        assert (stage.inputs["set"] == last.inputs["set"]) == (stage.label == last.label)


@pytest.mark.parametrize("shards", [1, 3])
def test_a_shorter_distillation_is_judged_by_the_same_stages(planned: Plans, shards: int) -> None:
    resources = {"resources": {"shards": shards}}
    longer = planned(**long(20, evaluate__snapshots=True), **resources)
    shorter = planned(**long(loops=20), **resources)

    for repeat in (0, 1):
        snapshot = longer.stage(f"evaluate/to-20/{NET}/{repeat}")
        assert snapshot.key == shorter.stage(f"evaluate/{NET}/{repeat}").key


@pytest.mark.parametrize("order", [("long", "short"), ("short", "long")], ids=str)
def test_variants_of_a_matrix_tell_their_last_sets_apart(tmp_path: Path, order: Any) -> None:
    variants = {
        "long": "{loops.outer_loops: 40, loops.snapshots: [20], evaluate.snapshots: true}",
        "short": "{loops.outer_loops: 20}",
    }
    matrix = "".join(f"    {name}: {variants[name]}\n" for name in order)
    text = MATRIX + "matrix:\n  variants:\n" + matrix

    plan = compile_spec(load_text(text, "matrix.yaml"))

    long, short = (
        {one.stage.key: one.set for one in judged(plan.of(n))} for n in ("long", "short")
    )
    assert sorted(long.values()) == ["distilled", "distilled", "to-20", "to-20"]
    assert list(short.values()) == ["distilled", "distilled"]
    assert {key for key, name in long.items() if name == "to-20"} == set(short)


def test_judging_snapshots_only_adds_stages(planned: Plans) -> None:
    blind, judged = planned(**long(20)), planned(**long(20, evaluate__snapshots=True))

    before, after = ({stage.key for stage in plan} for plan in (blind, judged))
    assert before < after
    assert len(after) == len(before) + 2


@pytest.mark.parametrize("shards", [1, 3])
def test_a_plan_file_holds_what_is_judged_on_the_way(
    planned: Plans, tmp_path: Path, shards: int
) -> None:
    looks = {"evaluate__snapshots": True, "evaluate__best_on_validation": 4}
    plan = planned(**long(10, 20, **looks), resources={"shards": shards})

    write_plan(plan, tmp_path / "judged.plan.yaml")

    assert read_plan(tmp_path / "judged.plan.yaml") == plan


def test_a_plan_file_holds_the_soft_labels_of_snapshots(tmp_path: Path) -> None:
    loops = {"outer_loops": 40, "inner_steps": 1, "snapshots": [20]}
    plan = family("sre2l", loops=loops, evaluate={"snapshots": True})

    write_plan(plan, tmp_path / "soft.plan.yaml")

    assert read_plan(tmp_path / "soft.plan.yaml") == plan


def test_soft_labels_of_snapshots_are_those_of_a_shorter_distillation() -> None:
    loops = {"outer_loops": 40, "inner_steps": 1}
    plan = family("sre2l", loops={**loops, "snapshots": [20]}, evaluate={"snapshots": True})

    label = plan.stage("relabel/to-20")
    assert label.upstream["set"] == "distill/to-20"
    assert label.work == plan.stage("relabel/to-40").work
    judged = [stage for stage in plan if stage.label.startswith("evaluate/to-20/")]
    assert judged
    assert {stage.upstream["labels"] for stage in judged} == {"relabel/to-20"}
