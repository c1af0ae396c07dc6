from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Plan
from ddspec.plan.keys import recomputed_keys
from ddspec.spec.experiment import Experiment
from ddspec.spec.lock import Lock
from ddspec.wire.work import DistillWork, EvaluateWork, PretrainWork

Experiments = Callable[..., Experiment]
Plans = Callable[..., Plan]

ALL_STAGES = 15
"""prepare 2, pool 3, distill 1, select 2 + 1, evaluate 2 + 2 + 1 + 1."""


def labels(plan: Plan) -> list[str]:
    return [stage.label for stage in plan]


def keys(plan: Plan) -> dict[str, str | None]:
    return {stage.label: stage.key for stage in plan}


def test_the_small_spec_has_these_stages_upstream_first(planned: Plans) -> None:
    found = labels(planned())

    assert found == [
        "prepare/train",
        "prepare/test",
        "pool/0",
        "pool/1",
        "pool/2",
        "distill",
        "select/random/0",
        "select/random/1",
        "select/init",
        "evaluate/convnet2-w32/0",
        "evaluate/convnet2-w32/1",
        "evaluate/random/convnet2-w32/0",
        "evaluate/random/convnet2-w32/1",
        "evaluate/init/convnet2-w32/0",
        "evaluate/full/convnet2-w32/0",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="one shard, one segment"),
        pytest.param({"resources": {"shards": 3}}, id="shards"),
        pytest.param({"loops__snapshots": [7, 20]}, id="segments"),
        pytest.param({"loops__snapshots": [7, 20], "resources": {"shards": 3}}, id="both"),
    ],
)
def test_keys_follow_from_works_and_inputs_alone(planned: Plans, changes: dict[str, Any]) -> None:
    plan = planned(**changes)

    assert dict(recomputed_keys(plan.stages)) == keys(plan)
    assert len(set(keys(plan).values())) == len(plan.stages)
    made = keys(plan)
    for stage in plan:
        assert stage.inputs == {name: made[label] for name, label in stage.upstream.items()}


@pytest.mark.parametrize(
    ("changes", "rerun"),
    [
        pytest.param({"name": "renamed", "title": "New"}, 0, id="a new name reruns nothing"),
        pytest.param({"resources": {"threads": 2}}, 0, id="threads rerun nothing"),
        pytest.param({"dataset__validation": 0.2}, 0, id="a default written out reruns nothing"),
        pytest.param({"evaluate__protocol__name": "x"}, 0, id="a protocol's name reruns nothing"),
        pytest.param({"evaluate__repeats": 3}, 1, id="a repeat adds one evaluation"),
        pytest.param({"evaluate__baselines__random": 3}, 2, id="a draw adds itself and its judge"),
        pytest.param({"evaluate__protocol__steps": 200}, 6, id="the protocol reruns evaluations"),
        pytest.param({"evaluate__on": "validation"}, 7, id="another split adds itself and judges"),
        pytest.param({"update__momentum": 0.4}, 3, id="an update reruns distillation and judges"),
        pytest.param({"loops__outer_loops": 41}, 3, id="more loops rerun distillation"),
        pytest.param({"matcher__distance": "squared"}, 3, id="a matcher keeps pool and baselines"),
        pytest.param({"budget__images_per_class": 2}, 9, id="the budget keeps pool and full"),
        pytest.param({"init__kind": "noise"}, 5, id="a start reruns what begins with it"),
        pytest.param({"pool__epochs": 3}, 6, id="the pool reruns itself and distillation"),
        pytest.param({"pool__models": 4}, 4, id="one more model keeps the others"),
        pytest.param({"seed": 1}, 13, id="the seed keeps the data"),
        pytest.param({"precision": "float64"}, 10, id="precision keeps data and selections"),
        pytest.param({"dataset__validation": 0.1}, ALL_STAGES, id="the split reruns everything"),
        pytest.param({"dataset__kind": "mnist"}, ALL_STAGES, id="a dataset reruns everything"),
    ],
)
def test_an_edit_reruns_only_what_depends_on_it(
    planned: Plans, changes: dict[str, Any], rerun: int
) -> None:
    before = set(keys(planned()).values())

    assert sum(stage.key not in before for stage in planned(**changes)) == rerun


def test_settings_without_effect_stay_out_of_keys(planned: Plans) -> None:
    frozen = {"inner": {"kind": "frozen"}}
    training = {"augmentation__training": {"kind": "dsa"}, "augmentation__cutmix": 0.5}
    before, after = planned(**frozen), planned(**frozen, **training)

    assert before.stage("pool/0").key != after.stage("pool/0").key
    assert before.stage("distill").work == after.stage("distill").work


def test_the_number_of_loops_is_in_no_segment_but_the_last(planned: Plans) -> None:
    short = planned(loops__outer_loops=20, loops__snapshots=[7])
    long = planned(loops__outer_loops=40, loops__snapshots=[7, 20])

    assert short.stage("distill/to-7").key == long.stage("distill/to-7").key
    assert short.stage("distill/to-20").key == long.stage("distill/to-20").key
    assert long.stage("distill/to-40").inputs["previous"] == short.stage("distill/to-20").key


@pytest.mark.parametrize(
    "loops",
    [
        pytest.param({"outer_loops": 40, "inner_steps": 10}, id="one segment"),
        pytest.param({"outer_loops": 40, "inner_steps": 10, "snapshots": [7, 20]}, id="three"),
    ],
)
def test_shards_rerun_nothing_below_the_merge(planned: Plans, loops: dict[str, Any]) -> None:
    whole, sharded = planned(loops=loops), planned(loops=loops, resources={"shards": 3})
    before = set(keys(whole).values())
    new = [stage.label for stage in sharded if stage.key not in before]

    assert all(label.startswith("distill/") for label in new)
    assert len(new) == 3 * len(whole.distillation())


def test_shards_cover_all_classes_once(planned: Plans) -> None:
    works = [stage.work for stage in planned(resources={"shards": 3})]
    ranges = [work.classes for work in works if isinstance(work, DistillWork)]

    assert [(one.start, one.stop, one.of) for one in ranges if one] == [
        (0, 3, 10),
        (3, 6, 10),
        (6, 10, 10),
    ]


def test_distillation_never_depends_on_the_test_split(planned: Plans) -> None:
    plan = planned(loops__snapshots=[7], resources={"shards": 2})
    upstream = {stage.label: set(stage.upstream.values()) for stage in plan}

    def above(label: str) -> set[str]:
        return upstream[label].union(*(above(one) for one in upstream[label]))

    assert "prepare/test" not in above("merge/to-40")


def test_choices_are_evaluated_on_the_validation_split(planned: Plans) -> None:
    plan = planned(evaluate__on="validation")

    assert "prepare/test" not in labels(plan)
    assert all(
        stage.upstream["test"] == "prepare/validation"
        for stage in plan
        if isinstance(stage.work, EvaluateWork)
    )


@pytest.mark.parametrize(
    ("label", "seed"),
    [
        ("pool/2", (7, "pool", 2)),
        ("distill", (7, "distill")),
        ("select/init", (7, "distill")),
        ("select/random/1", (7, "select", "random", 1)),
        ("evaluate/convnet2-w32/1", (7, "evaluate", "distilled", "convnet2-w32", 1)),
        ("evaluate/random/convnet2-w32/0", (7, "evaluate", "random", "convnet2-w32", 0)),
        ("evaluate/init/convnet2-w32/0", (7, "evaluate", "init", "convnet2-w32", 0)),
        ("evaluate/full/convnet2-w32/0", (7, "evaluate", "full", "convnet2-w32", 0)),
    ],
)
def test_every_draw_has_its_seed_path(
    planned: Plans, label: str, seed: tuple[int | str, ...]
) -> None:
    work = planned(seed=7).stage(label).work

    assert getattr(work, "seed", None) == seed


def test_pool_members_cycle_through_what_varies(planned: Plans) -> None:
    policies = [{"kind": "none"}, {"kind": "dsa"}]
    plan = planned(pool__vary={"learning_rate": [0.1, 0.2], "augmentation": policies})
    works = [stage.work for stage in plan if isinstance(stage.work, PretrainWork)]

    assert [work.optimizer.learning_rate for work in works] == [0.1, 0.2, 0.1]
    assert [work.augmentation.kind for work in works] == ["none", "dsa", "none"]


@pytest.mark.parametrize(
    ("changes", "rate"),
    [
        pytest.param({"dataset__kind": "cifar10"}, 0.005, id="cifar10, 10 a class: as given"),
        pytest.param(
            {"dataset__kind": "cifar10", "budget__images_per_class": 1}, 0.0005, id="1 a class"
        ),
        pytest.param(
            {"dataset__kind": "cifar10", "budget__images_per_class": 50}, 0.025, id="50 a class"
        ),
        pytest.param({"dataset__kind": "mnist"}, 0.005, id="mnist has 28 pixels as its base"),
        # 0.005 x (28 / 32)^2, which IDC's code does to Fashion-MNIST alone
        pytest.param({"dataset__kind": "fashion_mnist"}, 0.003828125, id="fashion has 32"),
    ],
)
def test_idc_scales_the_image_learning_rate(
    planned: Plans, changes: dict[str, Any], rate: float
) -> None:
    base = {
        "budget__images_per_class": 10,
        "update": {"learning_rate": 0.005, "scaling": "idc"},
    }
    update = planned(**(base | changes)).distillation()[0].update

    assert (update.learning_rate, update.scaling) == (rate, "none")


def test_epochs_by_size_are_those_of_each_set(specified: Callable[[str], Plan]) -> None:
    plan = specified("imagenet100")
    works = {stage.label: stage.work for stage in plan if isinstance(stage.work, EvaluateWork)}

    # 90 views a class: 1,000 x 2/3, and 10 images: 2,000 x 2/3, both down to a hundred
    assert works["evaluate/resnet18/0"].protocol.epochs == 600
    assert works["evaluate/random/resnet18/0"].protocol.epochs == 1300


def test_without_a_lock_a_plan_is_for_reading(imagenet_lock: Lock, small: Experiments) -> None:
    experiment = small(
        dataset={"kind": "imagenet100"}, network={"kind": "resnet_ap"}, resources={"shards": 2}
    )
    reading, running = compile_plan(experiment), compile_plan(experiment, imagenet_lock)

    assert labels(reading) == labels(running)
    assert {stage.key for stage in reading} == {None}
    assert not any(stage.inputs for stage in reading)
    assert running.locked


def test_a_folder_is_located_but_not_identified_by_its_path(
    imagenet_lock: Lock, small: Experiments
) -> None:
    lock = imagenet_lock.model_copy(update={"kind": "folder"})

    def compiled(path: str) -> Plan:
        dataset = {"kind": "folder", "path": path, "size": 64}
        return compile_plan(small(dataset=dataset), lock)

    here, there = compiled("here"), compiled("${DDSPEC_PLACE}/there")

    assert keys(here) == keys(there)
    assert there.stage("prepare/test").location == {
        "path": "${DDSPEC_PLACE}/there",
        "train": "train",
        "test": "test",
    }
    assert len(here.data.classes) == 100


def test_keys_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from ddspec.spec.load import load_spec; from ddspec.plan.compile import compile_plan;"
        "from ddspec.plan.text import dump_plan;"
        "print(dump_plan(compile_plan(load_spec('specs/digits.yaml').experiment)))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    }

    assert len(outputs) == 1
