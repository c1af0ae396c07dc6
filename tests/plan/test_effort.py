"""A change costs what the stages take that it makes new."""

from __future__ import annotations

from pathlib import Path

from ddspec.plan.compile import compile_plan
from ddspec.plan.devices import device
from ddspec.plan.diff import diff
from ddspec.plan.effort import Clock, effort
from ddspec.plan.estimate import stage_cost, stage_costs
from ddspec.plan.forecast import forecast
from ddspec.plan.ir import Plan
from ddspec.spec.load import load_spec

DIGITS = Path(__file__).parents[2] / "specs" / "digits.yaml"


def test_added_repeats_are_all_that_is_new() -> None:
    experiment = load_spec(DIGITS).experiment
    more = experiment.evaluate.model_copy(update={"repeats": experiment.evaluate.repeats + 2})
    before = compile_plan(experiment)
    after = compile_plan(experiment.model_copy(update={"evaluate": more}))

    found = effort(before, after, diff(before, after))

    each = stage_cost(before, before.stage("evaluate/convnet2-w32/0").work).flops
    assert found.before is not None
    assert found.after is not None
    assert found.new is not None
    assert found.before.flops is not None
    assert each is not None
    assert found.after.flops == found.before.flops + 2 * each
    assert found.new.flops == 2 * each
    assert found.new.device_seconds is None


def test_hours_memory_and_disk_are_those_of_a_device() -> None:
    experiment = load_spec(DIGITS).experiment
    fewer = experiment.loops.model_copy(update={"outer_loops": 20})
    before = compile_plan(experiment)
    after = compile_plan(experiment.model_copy(update={"loops": fewer}))
    clock = Clock(device("a6000"))

    found = effort(before, after, diff(before, after), clock)

    times = forecast(after, device("a6000"))
    assert found.after is not None
    assert found.new is not None
    assert found.after.device_seconds == times.total()
    assert found.new.device_seconds == times.total({"distill", *evaluations(after)})
    costs = stage_costs(after).values()
    assert found.after.memory_bytes == max(cost.memory_bytes for cost in costs)
    assert found.after.disk_bytes == sum(cost.output_bytes or 0 for cost in costs)


def evaluations(plan: Plan) -> set[str]:
    return {stage.label for stage in plan if stage.label.startswith("evaluate/convnet2-w32/")}


def test_a_spec_on_one_side_is_counted_alone() -> None:
    plan = compile_plan(load_spec(DIGITS).experiment)

    new, gone = effort(None, plan, None), effort(plan, None, None)

    assert (new.before, new.new, gone.after) == (None, None, None)
    assert new.after == gone.before
