"""Baselines that a trained network chooses: their stages, what reruns them, what they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ddspec.plan.admit import check_stage
from ddspec.plan.bearing import behind
from ddspec.plan.check import check
from ddspec.plan.compile import compile_plan
from ddspec.plan.data import data_facts
from ddspec.plan.diff import diff
from ddspec.plan.estimate import stage_costs
from ddspec.plan.findings import nowhere
from ddspec.plan.ir import Plan
from ddspec.plan.placement import CONTEXT_BYTES, Room, misfits
from ddspec.plan.text import dump_plan, load_plan
from ddspec.run.scores import SETS, scores
from ddspec.spec.baselines import BaselinesSpec, FeaturesSpec
from ddspec.spec.experiment import Experiment
from ddspec.wire.work import PretrainWork, RelabelWork

Experiments = Callable[..., Experiment]
Plans = Callable[..., Plan]

ASKED = {
    "random": 2,
    "random_hard": 0,
    "init": 1,
    "full": 1,
    "herding": 2,
    "k_center": 1,
    "forgetting": 1,
}
NETWORK = "convnet2-w32"
CHOSEN = ("herding", "k_center", "forgetting")


@pytest.fixture
def chosen(planned: Plans) -> Plans:
    """Return plans of the small spec with every baseline."""
    return lambda **changes: planned(**{"evaluate__baselines": ASKED, **changes})


def asked(**changes: Any) -> dict[str, Any]:
    return ASKED | changes


def keys(plan: Plan) -> dict[str, str | None]:
    return {stage.label: stage.key for stage in plan}


def test_one_network_is_trained_and_chooses_each_set_once(chosen: Plans) -> None:
    plan = chosen()

    found = [stage.label for stage in plan if stage.label.startswith("select/")]
    assert found[3:] == [
        "select/features",
        "select/herding",
        "select/k_center",
        "select/forgetting",
    ]
    for name in CHOSEN:
        inputs = {"train": "prepare/train", "network": "select/features"}
        assert plan.stage(f"select/{name}").upstream == inputs
        judge = plan.stage(f"evaluate/{name}/{NETWORK}/0")
        assert judge.upstream == {"set": f"select/{name}", "test": "prepare/test"}
        assert judge.work.seed == (0, "evaluate", name, NETWORK, 0)
    assert f"evaluate/herding/{NETWORK}/1" in keys(plan)


def test_a_set_is_judged_like_the_distilled_one(chosen: Plans) -> None:
    plan = chosen()

    works = [plan.stage(f"evaluate/{name}{NETWORK}/0").work for name in ("", "herding/")]
    fields = [work.model_dump(exclude={"seed"}) for work in works]
    assert fields[0] == fields[1]


def test_the_network_is_the_specs_and_records_what_it_forgets(chosen: Plans) -> None:
    work = chosen(evaluate__baselines=asked(features={"epochs": 7})).stage("select/features").work

    assert isinstance(work, PretrainWork)
    assert work.network.kind == "convnet"
    assert (work.epochs, work.batch, work.cutmix, work.events) == (7, 64, 0.0, True)


def test_without_them_no_network_is_trained_for_them(planned: Plans) -> None:
    assert "select/features" not in keys(planned(evaluate__baselines__features={"epochs": 3}))
    assert planned(evaluate__baselines__herding=0).stages == planned().stages


@pytest.mark.parametrize(
    ("changes", "rerun"),
    [
        pytest.param({"evaluate__baselines": asked(herding=3)}, 1, id="a repeat adds itself"),
        pytest.param(
            {"evaluate__baselines": asked(features={"epochs": 40})}, 0, id="a default written out"
        ),
        pytest.param(
            {"evaluate__baselines": asked(features={"epochs": 41})},
            8,
            id="another network chooses again",
        ),
        pytest.param({"matcher__distance": "squared"}, 3, id="a matcher keeps them"),
        pytest.param(
            {"augmentation__training": {"kind": "dsa"}}, 6, id="what a method sees keeps them"
        ),
        pytest.param({"pool__epochs": 3}, 6, id="a pool keeps them"),
        pytest.param({"loops__outer_loops": 41}, 3, id="more loops keep them"),
        pytest.param({"evaluate__protocol__steps": 200}, 10, id="a protocol keeps the choices"),
        pytest.param({"budget__images_per_class": 2}, 16, id="a budget keeps the network"),
    ],
)
def test_an_edit_reruns_only_what_depends_on_it(
    chosen: Plans, changes: dict[str, Any], rerun: int
) -> None:
    before = set(keys(chosen()).values())

    assert sum(stage.key not in before for stage in chosen(**changes)) == rerun


def test_one_more_of_them_finds_the_network_there(planned: Plans) -> None:
    few = planned(evaluate__baselines={"herding": 1})
    more = planned(evaluate__baselines={"herding": 1, "forgetting": 1})

    new = keys(more).keys() - keys(few).keys()
    assert new == {"select/forgetting", f"evaluate/forgetting/{NETWORK}/0"}
    assert keys(more).items() >= keys(few).items()


def test_a_plan_with_them_comes_back_as_it_was(chosen: Plans) -> None:
    plan = chosen(evaluate__baselines=asked(features={"epochs": 5}))
    text = dump_plan(plan)

    assert load_plan(text, "x")[0] == plan
    assert "select/features" in text


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param({"features": {"epochs": 5}}, id="the network"),
        pytest.param({"herding": 5}, id="repeats"),
        pytest.param({"forgetting": 0}, id="one less"),
    ],
)
def test_a_change_of_them_changes_only_evaluation(chosen: Plans, setting: dict[str, Any]) -> None:
    found = diff(chosen(), chosen(evaluate__baselines=asked(**setting)))

    assert found.category == "evaluation only"


def test_the_settings_behind_a_network_are_those_of_its_own_section() -> None:
    features, pool = "evaluate.baselines.features.epochs", "pool.epochs"

    assert behind("select", "epochs", [pool, features]) == (features,)
    assert behind("pool", "epochs", [pool, features]) == (pool,)
    assert behind("select", "optimizer.learning_rate", [pool, features]) == (features,)


def test_a_chosen_set_is_laid_to_the_network_and_not_to_the_space_of_another() -> None:
    changed = ["parameterization.space", "network.width"]

    assert behind("select", "selection.network.width", changed) == ("network.width",)
    assert behind("select", "selection.space", changed) == ("parameterization.space",)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param(
            {
                "init__kind": "noise",
                "budget__images_per_class": 99,
                "evaluate__baselines": {"random": 0, "herding": 1},
            },
            "DDS008",
            id="more than a class has",
        ),
        pytest.param(
            {
                "evaluate__baselines": {
                    "herding": 1,
                    "features": {"augmentation": {"kind": "imagenet"}},
                }
            },
            "DDS009",
            id="augmentation of other images",
        ),
        pytest.param({"evaluate__baselines__k_center": 10**9}, "DDS022", id="too many networks"),
    ],
)
def test_what_cannot_be_is_refused(small: Experiments, changes: dict[str, Any], code: str) -> None:
    experiment = small(**changes)

    errors = check(experiment, data_facts(experiment.dataset), nowhere).errors
    assert [one.code for one in errors] == [code]


def test_as_many_networks_are_counted_as_are_asked_for() -> None:
    baselines = BaselinesSpec.model_validate(ASKED)

    assert baselines.networks == sum(ASKED.values())
    assert baselines.selected == CHOSEN
    assert tuple(baselines.counts) == SETS[1:]
    assert BaselinesSpec().selected == ()
    assert FeaturesSpec().epochs == 40


def test_features_cost_a_pass_over_the_training_split_and_events_two_numbers_an_image(
    chosen: Plans,
) -> None:
    plan = chosen(evaluate__baselines=asked(features={"epochs": 2}))
    costs = stage_costs(plan)

    network, images = costs["select/features"], plan.data.train or 0
    assert costs["select/herding"].flops == costs["select/k_center"].flops
    assert 0 < (costs["select/herding"].flops or 0) < (network.flops or 0) / 4
    assert costs["select/forgetting"].flops == 0
    assert network.flops == costs["pool/0"].flops
    written = (network.output_bytes or 0) - (costs["pool/0"].output_bytes or 0)
    assert 0 <= written - 16 * images < 400


def test_sets_of_real_images_are_no_larger_than_the_budget(chosen: Plans) -> None:
    factor = {"parameterization": {"kind": "multi_formation", "factor": 2}, "init__kind": "real"}
    costs = stage_costs(chosen(**factor, evaluate__protocol={"name": "long", "epochs": 50}))

    given = [name for name in SETS[1:] if name != "random_hard"]
    sets = {name: costs[f"evaluate/{name}/{NETWORK}/0"].flops for name in given}
    assert sets["herding"] == sets["k_center"] == sets["forgetting"] == sets["random"]
    assert sets["random"] != sets["init"]


def test_accuracies_are_told_in_the_order_of_sets(chosen: Plans) -> None:
    plan = chosen(evaluate__baselines=asked(random_hard=1))
    metrics = {stage.key or "": {"accuracy": 0.5} for stage in plan}

    assert [score.set for score in scores(plan.stages, metrics)] == list(SETS)


def test_soft_labels_are_recorded_of_each_chosen_set(small: Experiments) -> None:
    protocol = {"name": "taught", "epochs": 2, "teaching": {"temperature": 20.0}}
    experiment = small(
        evaluate__baselines=ASKED, evaluate__protocol=protocol, labels={"kind": "soft"}
    )

    plan = compile_plan(experiment)
    found = {stage.label for stage in plan if isinstance(stage.work, RelabelWork)}
    assert found >= {f"relabel/{name}" for name in CHOSEN}
    assert load_plan(dump_plan(plan), "x")[0] == plan


def taught(small: Experiments, **changes: Any) -> Plan:
    protocol = {"name": "taught", "epochs": 2, "cutmix": 1.0, "teaching": {"temperature": 20.0}}
    plain = {"evaluate__protocol": protocol, "labels": {"kind": "soft"}}
    return compile_plan(small(**{**plain, **changes}))


@pytest.mark.parametrize("stored", ["per_view", "online"])
def test_random_images_stand_beside_themselves_with_hard_labels(
    small: Experiments, stored: str
) -> None:
    plan = taught(
        small,
        evaluate__baselines={"random": 2, "random_hard": 3},
        labels={"kind": "soft", "stored": stored},
    )

    for repeat in range(3):
        hard = plan.stage(f"evaluate/random_hard/{NETWORK}/{repeat}")
        assert hard.upstream == {"set": f"select/random/{repeat}", "test": "prepare/test"}
        assert hard.work.seed == (0, "evaluate", "random_hard", NETWORK, repeat)
        assert (hard.work.protocol.teaching, hard.work.teachers) == (None, None)
        assert hard.work.protocol.cutmix == 1.0
    soft = plan.stage(f"evaluate/random/{NETWORK}/1")
    assert soft.upstream["set"] == "select/random/1"
    assert soft.work.protocol.teaching is not None
    assert f"evaluate/random/{NETWORK}/2" not in keys(plan)
    assert load_plan(dump_plan(plan), "x")[0] == plan


def test_hard_labels_of_random_images_move_no_other_stage(small: Experiments) -> None:
    without = taught(small, evaluate__baselines={"random": 2})
    beside = taught(small, evaluate__baselines={"random": 2, "random_hard": 2})

    new = keys(beside).keys() - keys(without).keys()
    assert new == {f"evaluate/random_hard/{NETWORK}/{repeat}" for repeat in range(2)}
    assert keys(beside).items() >= keys(without).items()
    assert diff(without, beside).category == "evaluation only"


def test_teachers_of_students_of_whitened_images_see_them_whitened(small: Experiments) -> None:
    protocol = {"name": "taught", "epochs": 2, "zca": 0.1, "teaching": {"temperature": 20.0}}
    zca = {"kind": "pixels", "space": "zca"}
    plan = taught(small, evaluate__protocol=protocol, parameterization=zca)

    assert plan.stage("relabel").upstream["train"] == "prepare/train"
    assert plan.stage("relabel").work.zca == 0.1
    assert taught(small).stage("relabel").work.zca is None


def test_a_network_that_does_not_fit_is_told_by_its_own_setting(chosen: Plans) -> None:
    plan = chosen(evaluate__baselines=asked(features={"batch": 64}))
    room = Room("a small device", CONTEXT_BYTES + 1_300_000)

    errors, notes = misfits(plan, room, stages=[plan.stage("select/features")])

    (told,) = errors or notes
    assert told.message.startswith("`select/features` needs")
    assert "`evaluate.baselines.features.batch: 32`" in told.hint


@pytest.mark.parametrize(
    "label", ["select/nothing", "select/herding/0", "evaluate/k-center/convnet3/0", "pool/features"]
)
def test_a_stage_of_another_name_is_refused(label: str) -> None:
    kind = label.partition("/")[0].replace("pool", "pretrain")

    with pytest.raises(ValueError, match=f"no stage of kind `{kind}` is called `{label}`"):
        check_stage(label, kind, {})
