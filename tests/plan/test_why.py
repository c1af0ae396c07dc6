from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

from ddspec.plan.compile import compile_noted
from ddspec.plan.ir import Plan
from ddspec.plan.leaves import leaves
from ddspec.plan.past import Past, Said, decode, encode
from ddspec.plan.said import settings_of
from ddspec.plan.why import Standing, Why, former
from ddspec.spec.load import load_text

Plans = Callable[..., Plan]


def said(plan: Plan, file: str) -> dict[str, Said]:
    plain = plan.experiment.model_dump(mode="json", exclude_none=True)
    return {
        path: Said(path, value, f"{file}:{line}")
        for line, (path, value) in enumerate(leaves(plain), 1)
    }


def past(plan: Plan, time: float = 1.0) -> Past:
    found = decode(encode(plan, said(plan, "old.yaml").values(), time))
    assert found is not None
    return found


def keys(plan: Plan) -> set[str]:
    return {stage.key or "" for stage in plan}


def why(
    plan: Plan, *pasts: Past, store: Collection[str] = (), damaged: Mapping[str, str] | None = None
) -> Why:
    present = keys(plan) & set(store) - set(damaged or {})
    made = {key for key in former(plan, present, pasts) if key in store}
    standing = Standing(present, damaged=damaged or {}, made=made, pasts=pasts)
    return Why(plan, standing, said(plan, "new.yaml"))


def test_a_plan_that_was_never_run_says_so(planned: Plans) -> None:
    found = why(planned()).reasons()

    assert {(one.state, one.what) for one in found.values()} == {("run", "never run")}


def test_what_is_stored_is_in_store_and_what_is_damaged_is_run_again(planned: Plans) -> None:
    plan = planned()
    broken = plan.stage("pool/1").key or ""
    found = why(plan, store=keys(plan), damaged={broken: "data is missing"}).reasons()

    assert found.pop("pool/1").said == "data is missing"
    assert {one.state for one in found.values()} == {"in store"}


def test_a_changed_setting_is_followed_from_the_last_stage_to_the_line(planned: Plans) -> None:
    before, after = planned(), planned(pool__epochs=3)
    asked = why(after, past(before), store=keys(before))
    chain = asked.trace(after.stage("evaluate/convnet2-w32/0"))
    (root,) = {one.label: one for one in chain if one.what == "edited"}.keys() & {"pool/0"}

    assert [one.label for one in chain[:3]] == ["evaluate/convnet2-w32/0", "distill", "pool/0"]
    assert [one.what for one in chain[:3]] == ["downstream", "downstream", "edited"]
    cause = next(one for one in chain if one.label == root).causes[0]
    assert (cause.path, cause.edit.before, cause.edit.after) == ("pool.epochs", 2, 3)
    assert cause.before is not None
    assert cause.before.startswith("old.yaml:")
    assert cause.after is not None
    assert cause.after.startswith("new.yaml:")
    assert asked.reason(after.stage("prepare/train")).state == "in store"


def test_the_last_run_that_made_a_stage_is_compared_with(planned: Plans) -> None:
    first, second, now = planned(), planned(pool__epochs=3), planned(pool__epochs=4)
    asked = why(now, past(second, 2.0), past(first, 1.0), store=keys(first))

    reason = asked.reason(now.stage("pool/0"))

    assert reason.past is not None
    assert reason.past.time == 1.0  # nothing of the second was ever made


def test_a_stage_that_was_asked_for_and_not_made_says_by_which_run(planned: Plans) -> None:
    plan = planned()
    reason = why(plan, past(plan, 7.0)).reason(plan.stage("distill"))

    assert (reason.state, reason.what) == ("run", "not made")
    assert reason.past is not None
    assert reason.past.time == 7.0


def test_what_was_asked_for_otherwise_and_never_made_is_not_new(planned: Plans) -> None:
    before, after = planned(), planned(pool__epochs=3)
    stage = after.stage("pool/0")

    reason = why(after, past(before, 7.0)).reason(stage)

    assert (reason.state, reason.what) == ("run", "not made")
    assert reason.was is not None
    assert reason.was.key != stage.key


def test_a_new_stage_names_the_settings_that_changed(planned: Plans) -> None:
    before, after = planned(), planned(evaluate__repeats=3)
    asked = why(after, past(before), store=keys(before))
    reason = asked.reason(after.stage("evaluate/convnet2-w32/2"))

    assert (reason.state, reason.what) == ("run", "new")
    assert [cause.path for cause in reason.causes] == ["evaluate.repeats"]


def test_what_no_run_needs_is_not_said_to_run(planned: Plans) -> None:
    plan = planned()
    standing = Standing(present=keys(plan) - {plan.stage("pool/0").key}, needed=frozenset())

    assert Why(plan, standing).reason(plan.stage("pool/0")).state == "not needed"


def test_another_key_of_the_same_work_is_laid_to_the_compiler(planned: Plans) -> None:
    plan = planned()
    old = past(plan)
    label = "prepare/train"
    stages = dict(old.stages)
    stages[label] = type(stages[label])(label, "e" * 64, stages[label].work, {})
    moved = Past(old.time, old.plan, stages, old.settings)
    standing = Standing(frozenset(), made={"e" * 64}, pasts=(moved,))

    reason = Why(plan, standing, said(plan, "new.yaml")).reason(plan.stage(label))

    assert (reason.state, reason.what, reason.causes) == ("changed", "compiler", ())


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"dataset__validation": 0.3}, "dataset.validation"),
        ({"budget__images_per_class": 2}, "budget.images_per_class"),
        ({"network__width": 16}, "network.width"),
        ({"pool__models": 2}, "pool.models"),
        ({"pool__epochs": 1}, "pool.epochs"),
        ({"pool__batch": 32}, "pool.batch"),
        ({"pool__optimizer": {"learning_rate": 0.3}}, "pool.optimizer.learning_rate"),
        ({"pool__vary": {"learning_rate": [0.3]}}, "pool.vary.learning_rate"),
        ({"perturbation__directions": 1}, "perturbation.directions"),
        ({"perturbation__coefficient__low": 0.02}, "perturbation.coefficient.low"),
        ({"inner__steps": 3}, "inner.steps"),
        ({"matcher__distance": "cosine"}, "matcher.distance"),
        ({"matcher__real_batch": 32}, "matcher.real_batch"),
        ({"augmentation": {"cutmix": 0.5}}, "augmentation.cutmix"),
        ({"augmentation": {"matching": {"kind": "dsa"}}}, "augmentation.matching.kind"),
        ({"augmentation": {"training": {"kind": "dsa"}}}, "augmentation.training.kind"),
        ({"parameterization": {"kind": "multi_formation"}}, "parameterization.kind"),
        ({"init": {"kind": "noise"}}, "init.kind"),
        ({"update__learning_rate": 0.5}, "update.learning_rate"),
        ({"loops__outer_loops": 41}, "loops.outer_loops"),
        ({"loops__inner_steps": 11}, "loops.inner_steps"),
        ({"loops__snapshots": [20]}, "loops.snapshots"),
        ({"precision": "float64"}, "precision"),
        ({"evaluate__protocol__steps": 101}, "evaluate.protocol.steps"),
        ({"evaluate__protocol__batch": 32}, "evaluate.protocol.batch"),
        ({"seed": 1}, "seed"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_every_edit_is_found_at_the_root_of_every_stage_that_it_moves(
    change: dict[str, Any], path: str, planned: Plans
) -> None:
    before, after = planned(), planned(**change)
    asked = why(after, past(before), store=keys(before))
    moved = [stage for stage in after if asked.reason(stage).state != "in store"]
    found = {cause.path for stage in moved for root in asked.roots(stage) for cause in root.causes}

    assert moved
    assert path in found
    for stage in moved:
        assert any(path in {c.path for c in root.causes} for root in asked.roots(stage))


def test_a_new_stage_is_laid_to_settings_that_can_add_one(planned: Plans) -> None:
    before, after = planned(), planned(evaluate__repeats=3, pool__epochs=3)
    asked = why(after, past(before), store=keys(before))

    reason = asked.reason(after.stage("evaluate/convnet2-w32/2"))

    assert [cause.path for cause in reason.causes] == ["evaluate.repeats"]


MATRIX = """\
name: grid
preset: dm
dataset: {kind: cifar10}
budget: {images_per_class: 1}
matrix:
  budget.images_per_class: [1, 10]
"""


def matrix(text: str) -> tuple[Plan, dict[str, Said]]:
    loaded = load_text(text, "grid.yaml")
    settings = {one.path: one for one in settings_of(loaded)}
    return compile_noted(loaded)[0], settings


def test_a_new_value_of_an_axis_is_why_its_stages_are_new() -> None:
    before, said_before = matrix(MATRIX)
    after, said_after = matrix(MATRIX.replace("[1, 10]", "[1, 10, 50]"))
    old = decode(encode(before, said_before.values(), 1.0))
    assert old is not None
    standing = Standing(keys(before), made=keys(before), pasts=(old,))

    found = Why(after, standing, said_after).reason(after.stage("distill@ipc-50"))

    assert (found.state, found.what) == ("run", "new")
    (cause,) = found.causes
    assert cause.path == "budget.images_per_class"
    assert (cause.edit.before, cause.edit.after) == ([1, 10], [1, 10, 50])
    assert cause.after == "grid.yaml:6"


def test_a_setting_that_all_variants_share_is_why_all_of_them_change() -> None:
    before, said_before = matrix(MATRIX)
    after, said_after = matrix(f"{MATRIX}update: {{momentum: 0.25}}\n")
    old = decode(encode(before, said_before.values(), 1.0))
    assert old is not None
    present = keys(before) & keys(after)
    asked = Why(after, Standing(present, made=keys(before), pasts=(old,)), said_after)
    moved = {label: one for label, one in asked.reasons().items() if one.state == "changed"}

    assert {"distill@ipc-1", "distill@ipc-10"} <= moved.keys()
    for stage in (after.stage(label) for label in moved):
        (root,) = asked.roots(stage)
        assert [cause.path for cause in root.causes] == ["update.momentum"]
