"""What an export adds to plans of all families, and how it counts what came of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from fake_families import FAMILIES, family, planned

from ddspec.plan.compile import compile_plan, compile_spec
from ddspec.plan.estimate import stage_costs
from ddspec.plan.ir import Plan
from ddspec.plan.keys import recomputed_keys
from ddspec.run.rounding import Pair, Paired, Rounding, paired, with_rounding
from ddspec.spec.load import load_text
from ddspec.wire.work import EvaluateWork, RoundWork


def rounding(name: str, **changes: Any) -> tuple[Plan, Rounding]:
    plan = compile_plan(family(name, **changes)) if changes else planned(name)
    return plan, with_rounding(plan, evaluate=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_rounded_set_is_judged_by_the_very_works_of_the_learned_one(name: str) -> None:
    plan, found = rounding(name)

    asked = [
        stage
        for stage in plan
        if isinstance(stage.work, EvaluateWork) and stage.work.seed[2] == "distilled"
    ]
    assert [pair.before for pair in found.pairs] == asked
    for pair in found.pairs:
        assert pair.after.work == pair.before.work
        changed = {
            key: label
            for key, label in pair.after.upstream.items()
            if pair.before.upstream[key] != label
        }
        labels = {"labels": "relabel/rounded"} if "labels" in pair.before.upstream else {}
        assert changed == {"set": "round"} | labels
        assert pair.after.key != pair.before.key


@pytest.mark.parametrize("name", FAMILIES)
def test_keys_follow_from_works_and_every_input_is_there(name: str) -> None:
    plan, found = rounding(name)

    learned = plan.stage(found.learned.label)
    assert found.learned.key == learned.key
    known: set[str] = set()
    for stage in found.plan:
        assert set(stage.upstream.values()) <= known, stage.label
        known.add(stage.label)
    # with the learned set as it is in its own plan, all keys are those of any other stage
    above = [stage for stage in plan if stage.label not in known]
    below = [stage for stage in found.plan if stage.label != learned.label]
    together = [*above, *(stage for stage in plan if stage.label in known)]
    fresh = [stage for stage in below if stage.label not in {one.label for one in plan}]
    keys = dict(recomputed_keys(sorted(together, key=list(plan).index) + fresh))
    assert {stage.label: stage.key for stage in found.plan} == {
        label: keys[label] for label in known
    }


def test_teachers_label_the_rounded_images_where_they_recorded_the_learned_ones() -> None:
    plan, found = rounding("sre2l")

    before, after = plan.stage("relabel"), found.plan.stage("relabel/rounded")
    assert after.work == before.work
    assert after.upstream == {**before.upstream, "set": "round"}
    assert found.labels == "soft"


def test_what_the_learned_set_was_made_from_is_left_out() -> None:
    _, found = rounding("mtt")

    labels = {stage.label for stage in found.plan}
    assert not any(label.startswith(("pool/", "select/")) for label in labels)
    assert found.learned.upstream == {}
    assert "distill" not in {stage.label for stage in found.left}


def test_without_evaluation_the_set_is_rounded_and_nothing_else() -> None:
    found = with_rounding(planned("dc"), evaluate=False)

    assert [stage.label for stage in found.plan] == ["distill", "round"]
    assert found.pairs == ()


def test_a_merged_set_is_rounded_as_a_whole() -> None:
    _, found = rounding("idc", resources={"shards": 2})
    _, whole = rounding("idc")

    assert found.learned.label == "merge"
    assert found.rounded.key == whole.rounded.key
    assert not any(stage.label.startswith("distill") for stage in found.plan)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_stages_of_an_export_are_counted(name: str) -> None:
    _, found = rounding(name)

    costs = stage_costs(found.plan)
    assert costs["round"].output_bytes
    assert costs["round"].flops == 0
    for pair in found.pairs:
        assert costs[pair.after.label] == costs[pair.before.label]


def test_data_without_a_lock_have_no_keys_here_either() -> None:
    plan = planned("dc")
    bare = Plan(
        plan.name,
        plan.variants,
        tuple(type(stage)(stage.label, stage.work, stage.upstream, {}, None) for stage in plan),
    )

    found = with_rounding(bare, evaluate=True)

    assert {stage.key for stage in found.plan} == {None}


def pairs(count: int, network: str = "n") -> tuple[Pair, ...]:
    stage = planned("dc").stages[0]
    made = [
        tuple(type(stage)("e", RoundWork(), {}, {}, f"{network}{side}{i}") for side in "ba")
        for i in range(count)
    ]
    return tuple(Pair(network, "p", "test", *both) for both in made)


def test_differences_are_those_of_pairs() -> None:
    before, after = (0.5, 0.6, 0.8), (0.51, 0.58, 0.8)
    metrics = {f"nb{i}": {"accuracy": value} for i, value in enumerate(before)}
    metrics |= {f"na{i}": {"accuracy": value} for i, value in enumerate(after)}

    (found,) = paired(pairs(3), metrics)

    # differences 0.01, -0.02, 0: mean -0.01/3, squares about it sum to 7e-4 / 1.5
    assert (found.before, found.after) == (before, after)
    assert found.difference == pytest.approx(-0.01 / 3)
    spread = math.sqrt((0.0004 / 9 * 4 + 0.0001 * 25 / 9 + 0.0001 / 9) / 2)
    assert spread == pytest.approx(
        math.sqrt(sum((d + 0.01 / 3) ** 2 for d in (0.01, -0.02, 0)) / 2)
    )
    assert found.standard_error == pytest.approx(spread / math.sqrt(3))


def test_half_a_pair_counts_for_nothing() -> None:
    metrics = {"nb0": {"accuracy": 0.5}, "nb1": {"accuracy": 0.7}, "na1": {"accuracy": 0.6}}

    (found,) = paired(pairs(2), metrics)

    assert found == Paired("n", "p", "test", 2, (0.7,), (0.6,))
    assert found.standard_error is None
    assert paired(pairs(2), {}) == ()


def test_networks_are_told_apart() -> None:
    metrics = {f"{name}{side}0": {"accuracy": 0.5} for name in "nm" for side in "ba"}

    found = paired((*pairs(1, "n"), *pairs(1, "m")), metrics)

    assert [one.network for one in found] == ["n", "m"]


IMPORTED = f"""\
name: judged
preset: dc
dataset: {{kind: digits}}
budget: {{images_per_class: 1}}
network: {{kind: convnet, depth: 2, width: 8}}
init: {{kind: real}}
evaluate: {{protocol: {{name: short, steps: 10}}, repeats: 2}}
imported:
  layout: dc
  files: [{{path: sets/res.pt, sha256: {"ab" * 32}}}]
  space: normalised
"""


def test_a_set_that_was_imported_is_rounded_too() -> None:
    found = with_rounding(compile_spec(load_text(IMPORTED, "x.yaml")), evaluate=True)

    assert found.learned.label == "import"
    assert [pair.after.upstream["set"] for pair in found.pairs] == ["round", "round"]
