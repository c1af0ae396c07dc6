from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ddspec.plan.compile import compile_plan, compile_spec
from ddspec.plan.estimate import inner_step_flops, shard_speedup, stage_cost, stage_costs
from ddspec.plan.ir import Plan
from ddspec.spec.experiment import Experiment
from ddspec.spec.load import load_text

Specified = Callable[[str], Plan]
Plans = Callable[..., Plan]


def test_an_inner_step_of_cifar10_takes_what_was_counted_by_hand(specified: Specified) -> None:
    plan = specified("cifar10")
    step = inner_step_flops(plan, plan.distillation()[0])

    # TFLOP, printed with two digits: network .61, real .19, synthetic .32, 1.12 in all
    assert [round(part / 1e12, 2) for part in step] == [0.61, 0.19, 0.32]
    assert round(sum(step) / 1e12, 2) == 1.12


def test_distillation_of_cifar10_takes_44_petaflop_over_all_segments(specified: Specified) -> None:
    plan = specified("cifar10")
    costs = [stage_cost(plan, work).flops or 0 for work in plan.distillation()]

    # 40,000 inner steps of .5066 TFLOP, and .6088 after all but the last of each outer loop
    assert round(sum(costs) / 1e15, 1) == 44.4


def test_the_network_rests_after_the_last_inner_step(planned: Plans) -> None:
    def flops(inner_steps: int) -> int:
        plan = planned(loops={"outer_loops": 1, "inner_steps": inner_steps})
        return stage_cost(plan, plan.stage("distill").work).flops or 0

    plan = planned()
    network, real, synthetic = inner_step_flops(plan, plan.distillation()[0])

    assert flops(1) == real + synthetic
    assert flops(3) == 3 * (real + synthetic) + 2 * network


def test_shards_repeat_the_networks(planned: Plans) -> None:
    plan = planned(resources={"shards": 5})
    whole = planned()
    network, real, synthetic = inner_step_flops(whole, whole.distillation()[0])
    moved = network * 9 / 10  # not after the last of 10 inner steps

    assert shard_speedup(whole) is None
    assert shard_speedup(plan) == pytest.approx(
        (moved + real + synthetic) / (moved + (real + synthetic) / 5)
    )


def test_bytes_written_are_those_of_the_tensors_and_a_little_more(specified: Specified) -> None:
    plan = specified("cifar10")
    image = 3 * 32 * 32

    written = {stage.label: stage_cost(plan, stage.work).output_bytes for stage in plan}

    assert written["prepare/train"] == pytest.approx(50_000 * (image + 8), rel=1e-3)
    assert written["pool/0"] == pytest.approx(4 * 320_010, rel=2e-3)
    # the picture adds most of a byte for each value of 4 bytes, the card a few thousand
    assert written["select/init"] == pytest.approx((4 + 0.75) * 100 * image, rel=0.01)
    assert written["distill/to-400"] == pytest.approx((3 * 4 + 0.75) * 100 * image, rel=0.01)


def per_image_of_digits() -> int:
    return 3 * 2 * (9 * 32 * 64 + 9 * 32 * 32 * 16 + 32 * 4 * 10) - 2 * 9 * 32 * 64


@pytest.mark.parametrize(
    ("changes", "images"),
    [
        pytest.param({"protocol": {"name": "a", "steps": 100}}, 100 * 10, id="steps of the set"),
        # of 10 images, batches of 4, 4 and 2, three times
        pytest.param({"protocol": {"name": "a", "steps": 9, "batch": 4}}, 30, id="small batch"),
        pytest.param({"protocol": {"name": "a", "steps": 4, "batch": 4}}, 14, id="begun epoch"),
        pytest.param({"protocol": {"name": "a", "epochs": 30}}, 30 * 10, id="epochs"),
    ],
)
def test_evaluation_counts_images_passed(
    planned: Plans, changes: dict[str, Any], images: int
) -> None:
    plan = planned(**{f"evaluate__{name}": value for name, value in changes.items()})
    other = planned(evaluate__protocol={"name": "a", "epochs": 1})
    label = "evaluate/convnet2-w32/0"
    step = (stage_cost(plan, plan.stage(label).work).flops or 0) - (
        stage_cost(other, other.stage(label).work).flops or 0
    )

    # One epoch is the 10 images of the set, and testing costs the same in both.
    assert step == (images - 10) * per_image_of_digits()


def test_what_only_the_data_can_tell_is_unknown(small: Callable[..., Experiment]) -> None:
    dataset = {"kind": "folder", "path": "somewhere", "size": 16}
    plan = compile_plan(small(dataset=dataset))

    assert stage_cost(plan, plan.stage("pool/0").work).flops is None
    assert stage_cost(plan, plan.stage("prepare/train").work).output_bytes is None


def test_memory_grows_with_the_images_held_at_once(planned: Plans) -> None:
    def held(batch: int) -> int:
        plan = planned(pool__batch=batch)
        return stage_cost(plan, plan.stage("pool/0").work).memory_bytes

    assert held(128) - held(64) == held(192) - held(128) > 0


def test_parameters_are_those_of_the_network_of_a_stage(specified: Specified) -> None:
    costs = stage_costs(specified("cifar10"))

    assert costs["pool/0"].parameters == costs["distill/to-400"].parameters == 320_010
    assert costs["prepare/train"].parameters == 0


def test_more_views_than_a_step_may_see_cost_no_more(planned: Plans) -> None:
    def flops(images: int) -> int:
        plan = planned(budget__images_per_class=images, matcher__max_views=16)
        return inner_step_flops(plan, plan.distillation()[0])[2]

    assert flops(16) == flops(20) > flops(8)


def test_what_variants_have_alike_is_counted_once_and_what_they_have_not_is_not() -> None:
    text = """
name: many
preset: acc_dd
dataset: {kind: cifar10}
budget: {images_per_class: 10}
evaluate: {repeats: 2, baselines: {random: 1}}
matrix:
  budget.images_per_class: [1, 10]
  loops.outer_loops: [300, 500]
  network.width: [32, 64]
  precision: [float32, float64]
  update.learning_rate: [0.005, 0.01]
  parameterization.factor: [1, 2]
"""
    plan = compile_spec(load_text(text, "many.yaml"))
    one_by_one = {}
    for variant in plan.variants:
        alone = Plan(plan.name, (variant,), ())
        for label in variant.labels:
            one_by_one.setdefault(label, stage_cost(alone, plan.stage(label).work))

    assert len(plan.variants) == 64
    assert stage_costs(plan) == {stage.label: one_by_one[stage.label] for stage in plan}


@pytest.mark.parametrize(
    "preset", ["dc", "dsa", "idc", "acc_dd", "mtt", "tesla", "ftd", "dm", "idm", "sre2l"]
)
def test_what_depends_on_classes_that_only_a_lock_can_tell_is_unknown(preset: str) -> None:
    text = (
        f"name: mine\npreset: {preset}\nbudget: {{images_per_class: 2}}\n"
        "dataset: {kind: folder, path: flowers, size: 32, channels: 3}\n"
    )
    plan = compile_spec(load_text(text, "mine.yaml"), None)

    costs = stage_costs(plan)

    # copying is no operation of a network, whatever is copied
    free = {"prepare/train", "prepare/test"} | {one for one in costs if one.startswith("select/")}
    assert {label for label, cost in costs.items() if cost.flops is not None} == free
    assert all(costs[label].output_bytes is None for label in costs if not label.startswith("pool"))


def test_published_classes_are_counted_without_a_lock() -> None:
    text = (
        "name: mine\npreset: acc_dd\nbudget: {images_per_class: 10}\n"
        "dataset: {kind: imagenet100, size: 224}\n"
    )
    plan = compile_spec(load_text(text, "mine.yaml"), None)

    costs = stage_costs(plan)

    assert all((cost.flops, cost.output_bytes) != (None, None) for cost in costs.values())


def test_looks_at_held_out_images_cost_their_forward_passes(planned: Plans) -> None:
    blind, looking = planned(), planned(evaluate__best_on_validation=4)
    label = "evaluate/convnet2-w32/0"
    before, after = (stage_cost(plan, plan.stage(label).work).flops for plan in (blind, looking))

    assert before is not None
    assert after is not None
    # Two operations a weight and place: 8 x 8 places of 32 x 9, then 4 x 4 of 32 x 32 x 9, and a
    # classifier of 32 x 2 x 2 by 10. 1,797 digits: a fifth tests, a fifth of the rest is held out.
    image = 2 * (64 * 32 * 9 + 16 * 32 * 32 * 9 + 128 * 10)
    images = 4 * (blind.data.validation or 0) + (blind.data.test or 0)
    assert (after - before) / image == pytest.approx(
        images, rel=0.1
    )  # norms and pools are a little


def test_sets_on_the_way_cost_their_evaluations(planned: Plans) -> None:
    loops = {"outer_loops": 40, "inner_steps": 10, "snapshots": [20]}
    plan = planned(loops=loops, evaluate__snapshots=True)
    costs = {stage.label: stage_cost(plan, stage.work) for stage in plan}

    assert costs["evaluate/to-20/convnet2-w32/0"] == costs["evaluate/to-40/convnet2-w32/0"]
