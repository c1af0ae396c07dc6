"""A change costs what the stages take that it makes new."""

from __future__ import annotations

from pathlib import Path

from ddspec.plan.compile import compile_plan
from ddspec.plan.diff import diff
from ddspec.plan.effort import Effort, effort
from ddspec.plan.estimate import stage_cost
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
    assert each is not None
    assert found == Effort(found.before, found.before + 2 * each, new=2 * each)
