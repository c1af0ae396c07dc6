"""Accuracies are gathered per set, network and protocol, and compared with their errors."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Stage
from ddspec.run.curves import curves
from ddspec.run.scores import Rate, Score, accuracy_of, gain, scores
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.load import load_spec
from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import DistillWork, EvaluateWork, MergeWork, Teachers

SPECS = Path(__file__).parents[2] / "specs"


def named(label: str) -> tuple[str, str, int]:
    """Return the set, network and repeat of a label; that of a snapshot is the distilled one."""
    *before, network, repeat = label.split("/")[1:]
    return "distilled" if before in ([], ["to-20"], ["to-5"]) else before[0], network, int(repeat)


def distillation(label: str, stop: int) -> Stage:
    plain = compile_plan(load_spec(SPECS / "digits.yaml").experiment).stage("distill")
    work = plain.work.model_copy(update={"stop": stop})
    return replace(plain, label=label, work=work)


def evaluation(label: str, protocol: str = "brief") -> Stage:
    return Stage(
        label=label,
        work=EvaluateWork(
            network=ConvNetSpec(kind="convnet"),
            protocol=ProtocolSpec(name=protocol, steps=1),
            seed=(0, "evaluate", *named(label)),
            precision="float32",
        ),
        upstream={"set": "distill", "test": "prepare/test"},
        inputs={},
        key=label,
    )


def score(*accuracies: float, set: str = "distilled") -> Score:
    return Score(set, "convnet3", "brief", "test", accuracies, planned=len(accuracies))


def test_repeats_of_one_set_make_one_score() -> None:
    stages = [evaluation("evaluate/convnet3/0"), evaluation("evaluate/convnet3/1")]
    metrics = {"evaluate/convnet3/0": {"accuracy": 0.5}, "evaluate/convnet3/1": {"accuracy": 0.7}}

    (found,) = scores(stages, metrics)

    assert (found.set, found.network, found.protocol) == ("distilled", "convnet3", "brief")
    assert found.mean == pytest.approx(0.6)
    assert found.std == pytest.approx(math.sqrt(0.02))  # two values, each 0.1 from the mean
    assert found.standard_error == pytest.approx(0.1)


def test_sets_come_in_the_order_of_the_table() -> None:
    labels = [f"evaluate/{name}/convnet3/0" for name in ("full", "init", "random")]
    stages = [evaluation(label) for label in [*labels, "evaluate/convnet3/0"]]

    found = scores(stages, {stage.label: {"accuracy": 0.5} for stage in stages})

    assert [score.set for score in found] == ["distilled", "random", "init", "full"]


def test_an_unfinished_evaluation_is_counted_as_planned_only() -> None:
    stages = [evaluation("evaluate/convnet3/0"), evaluation("evaluate/convnet3/1")]

    (found,) = scores(stages, {"evaluate/convnet3/1": {"accuracy": 0.7}})

    assert (found.accuracies, found.planned) == ((0.7,), 2)


def test_a_set_without_a_finished_evaluation_has_no_score() -> None:
    assert scores([evaluation("evaluate/convnet3/0")], {}) == ()


def test_a_perfect_accuracy_may_be_written_as_an_integer() -> None:
    (found,) = scores([evaluation("evaluate/convnet3/0")], {"evaluate/convnet3/0": {"accuracy": 1}})

    assert found.accuracies == (1.0,)


def test_one_repeat_has_no_deviation() -> None:
    assert score(0.5).std is None
    assert score(0.5).plain()["accuracy_std"] is None


def test_the_error_of_a_difference_joins_both_errors() -> None:
    found = gain(score(0.8, 0.9, 1.0), score(0.4, 0.6))

    assert found.difference == pytest.approx(0.4)
    # standard errors 0.1 / sqrt 3 and (0.1 sqrt 2) / sqrt 2
    assert found.standard_error == pytest.approx(math.sqrt(0.01 / 3 + 0.01))


def test_a_difference_with_a_single_repeat_has_no_error() -> None:
    assert gain(score(0.8, 0.9), score(0.4)).standard_error is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.9", None, [0.9]])
def test_what_is_no_finite_number_is_no_accuracy(value: object) -> None:
    assert accuracy_of({"accuracy": value}) is None


def test_networks_that_were_best_on_validation_stand_apart() -> None:
    stages = [evaluation("evaluate/convnet3/0"), evaluation("evaluate/convnet3/1")]
    metrics = {
        "evaluate/convnet3/0": {"accuracy": 0.5, "best_on_validation": {"accuracy": 0.6}},
        "evaluate/convnet3/1": {"accuracy": 0.7, "best_on_validation": {"accuracy": 0.9}},
    }

    (found,) = scores(stages, metrics)

    assert found.mean == pytest.approx(0.6)
    assert found.on_validation is not None
    assert found.on_validation.accuracies == (0.6, 0.9)
    plain: Any = found.plain()
    assert plain["best_on_validation"]["accuracy_mean"] == pytest.approx(0.75)


@pytest.mark.parametrize("odd", [None, 0.9, {}, {"accuracy": "high"}, {"accuracy": math.nan}])
def test_what_is_no_figure_of_the_best_network_is_none(odd: Any) -> None:
    (found,) = scores(
        [evaluation("evaluate/convnet3/0")],
        {"evaluate/convnet3/0": {"accuracy": 0.5, "best_on_validation": odd}},
    )

    assert found.on_validation is None
    assert "best_on_validation" not in found.plain()


def judged(label: str, source: str) -> Stage:
    return replace(evaluation(label), upstream={"set": source, "test": "prepare/test"})


SNAPSHOTS = (
    distillation("distill/to-40", 40),
    distillation("distill/to-20", 20),
    distillation("distill/0/to-5", 5),
    Stage("merge/to-5", MergeWork(shards=1), {"shard/0": "distill/0/to-5"}, {}, "merge"),
    judged("evaluate/convnet3/0", "distill/to-40"),
    judged("evaluate/random/convnet3/0", "select/random/0"),
    judged("evaluate/to-20/convnet3/0", "distill/to-20"),
    judged("evaluate/to-20/convnet3/1", "distill/to-20"),
    judged("evaluate/to-5/convnet3/0", "merge/to-5"),
)


def test_accuracies_over_loops_begin_with_the_fewest() -> None:
    metrics = {stage.label: {"accuracy": i / 10} for i, stage in enumerate(SNAPSHOTS[4:])}

    (curve,) = curves(SNAPSHOTS, metrics)

    assert curve.place == ("convnet3", "brief", "test")
    assert [(p.loops, p.score.accuracies) for p in curve.points] == [
        (5, (0.4,)),
        (20, (0.2, 0.3)),
        (40, (0.0,)),
    ]
    assert curve.points[0].plain()["outer_loops"] == 5


def test_snapshots_are_no_set_of_the_table() -> None:
    metrics = {stage.label: {"accuracy": 0.5} for stage in SNAPSHOTS}

    assert [score.set for score in scores(SNAPSHOTS, metrics)] == ["distilled", "random"]


def test_what_is_the_last_set_is_told_by_loops_and_not_by_labels() -> None:
    """In a matrix a shorter variant gives its label to what is a snapshot of a longer one."""
    stages = (
        distillation("distill", 20),
        distillation("distill/to-40", 40),
        judged("evaluate/convnet3/0", "distill"),
        judged("evaluate/to-20/convnet3/0", "distill/to-40"),
    )
    metrics = {"evaluate/convnet3/0": {"accuracy": 0.2}}
    metrics |= {"evaluate/to-20/convnet3/0": {"accuracy": 0.4}}

    (found,) = scores(stages, metrics)
    (curve,) = curves(stages, metrics)

    assert found.accuracies == (0.4,)
    assert [(p.loops, p.score.accuracies) for p in curve.points] == [(20, (0.2,)), (40, (0.4,))]


def test_without_snapshots_there_is_no_curve() -> None:
    stages = [evaluation("evaluate/convnet3/0"), SNAPSHOTS[0], SNAPSHOTS[4]]

    assert curves(stages, {stage.label: {"accuracy": 0.5} for stage in stages}) == ()


TAUGHT = ProtocolSpec(name="brief", steps=1, teaching={"temperature": 2.0})


def taught(label: str, **changes: Any) -> Stage:
    plain = evaluation(label)
    inputs = changes.pop("upstream", {})
    work = plain.work.model_copy(update={"protocol": TAUGHT, **changes})
    return replace(plain, work=work, upstream={**plain.upstream, **inputs})


def learned(kind: str) -> Stage:
    made = distillation("distill", 5)
    labels = {"kind": kind, "learning_rate": 1.0} if kind == "learned" else {"kind": kind}
    plain = made.work.model_dump() | {"labels": labels}
    return replace(made, work=DistillWork.model_validate(plain))


TEACHERS = {"network": {"kind": "convnet"}, "average": "logits", "batch_norm": "running"}


@pytest.mark.parametrize(
    ("stages", "labels"),
    [
        pytest.param([evaluation("evaluate/convnet3/0")], "hard", id="hard"),
        pytest.param(
            [taught("evaluate/convnet3/0", upstream={"labels": "relabel"})], "soft", id="recorded"
        ),
        pytest.param(
            [taught("evaluate/convnet3/0", teachers=Teachers.model_validate(TEACHERS))],
            "soft",
            id="online",
        ),
        pytest.param([learned("learned"), taught("evaluate/convnet3/0")], "learned", id="learned"),
        pytest.param([learned("expert"), taught("evaluate/convnet3/0")], "expert", id="expert"),
        pytest.param(
            [learned("learned"), taught("evaluate/random/convnet3/0", upstream={"set": "select"})],
            "hard",
            id="beside-learned",
        ),
    ],
)
def test_scores_say_from_which_labels_networks_learned(stages: list[Stage], labels: str) -> None:
    (found,) = scores(stages, {stages[-1].key or "": {"accuracy": 0.5}})

    assert found.labels == labels
    assert found.plain()["labels"] == labels
    assert found.judged == "brief on test" + ("" if labels == "hard" else f" with {labels} labels")


def test_a_learned_rate_stands_with_the_accuracies() -> None:
    figures = {"accuracy": 0.5, "learning_rate": 0.02, "learned_rate": True}

    (found,) = scores([evaluation("evaluate/convnet3/0")], {"evaluate/convnet3/0": figures})

    assert found.rate == Rate(0.02, learned=True)
    assert found.plain()["learning_rate"] == 0.02
    (plain,) = scores([evaluation("a/convnet3/0")], {"a/convnet3/0": {"accuracy": 0.5}})
    assert plain.rate is None
    assert "learning_rate" not in plain.plain()
