from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ddspec.errors import DdspecError, Exit, Place
from ddspec.plan.check import check
from ddspec.plan.compile import compile_plan
from ddspec.plan.data import data_facts
from ddspec.plan.findings import Report
from ddspec.spec.experiment import Experiment
from ddspec.spec.load import load_text

Experiments = Callable[..., Experiment]

CONVNET = {"kind": "convnet", "depth": 2, "width": 32}
FOLDER = {"kind": "folder", "path": "x", "size": 64}


def place(*path: str | int) -> Place:
    return Place(".".join(map(str, path)), 1)


def report(experiment: Experiment) -> Report:
    return check(experiment, data_facts(experiment.dataset), place)


def codes(experiment: Experiment) -> list[tuple[str, str]]:
    return [(one.code, one.place.file if one.place else "") for one in report(experiment).errors]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        pytest.param(
            {"evaluate__protocol": "idk"}, "DDS001", "evaluate.protocol", id="unknown protocol"
        ),
        pytest.param(
            {"evaluate__protocol": {"name": "x"}},
            "DDS002",
            "evaluate.protocol",
            id="neither epochs nor steps",
        ),
        pytest.param(
            {"evaluate__protocol": {"name": "x", "epochs": 1, "steps": 1}},
            "DDS002",
            "evaluate.protocol",
            id="epochs and steps",
        ),
        pytest.param(
            {"evaluate__repeats": 10**9}, "DDS022", "evaluate.repeats", id="too many networks"
        ),
        pytest.param(
            {
                "resources__shards": 10,
                "loops__outer_loops": 2000,
                "loops__snapshots": list(range(1, 2000)),
            },
            "DDS022",
            "loops.snapshots",
            id="too many segments",
        ),
        pytest.param(
            {
                "loops__outer_loops": 2000,
                "loops__snapshots": list(range(1, 1000)),
                "evaluate__snapshots": True,
                "evaluate__repeats": 1000,
            },
            "DDS022",
            "evaluate.repeats",
            id="too many networks for the sets on the way",
        ),
        pytest.param({"network__depth": 4}, "DDS003", "network.depth", id="too deep"),
        pytest.param(
            {"evaluate__networks": [CONVNET, CONVNET | {"depth": 5}]},
            "DDS003",
            "evaluate.networks.1.depth",
            id="a judge too deep",
        ),
        pytest.param({"network__norm": "batch"}, "DDS004", "network.norm", id="batch norm"),
        pytest.param(
            {"network": {"kind": "torchvision", "model": "resnet18"}, "dataset": FOLDER},
            "DDS005",
            "network.kind",
            id="matching torchvision",
        ),
        pytest.param(
            {"network": {"kind": "resnet_ap"}}, "DDS006", "network.stem", id="stem too large"
        ),
        pytest.param(
            {"evaluate__networks": [{"kind": "torchvision", "model": "resnet18"}]},
            "DDS007",
            "evaluate.networks.0.model",
            id="torchvision on one channel",
        ),
        pytest.param(
            {"budget__images_per_class": 99},
            "DDS008",
            "budget.images_per_class",
            id="more than the smallest class",
        ),
        pytest.param(
            {
                "budget__images_per_class": 25,
                "init": {"kind": "mix"},
                "parameterization": {"kind": "multi_formation", "factor": 2},
            },
            "DDS008",
            "budget.images_per_class",
            id="mix takes factor squared as many",
        ),
        pytest.param(
            {
                "init": {"kind": "mix"},
                "parameterization": {"kind": "multi_formation", "factor": 8},
                "dataset": {"kind": "digits", "validation": 0.5},
            },
            "DDS008",
            "budget.images_per_class",
            id="one image of more cells than a class has images",
        ),
        pytest.param(
            {"augmentation__training": {"kind": "imagenet"}},
            "DDS009",
            "augmentation.training",
            id="imagenet augmentation of one channel",
        ),
        pytest.param({"resources": {"shards": 11}}, "DDS010", "resources.shards", id="shards"),
        pytest.param(
            {"parameterization": {"kind": "multi_formation", "factor": 8}, "network__depth": 4},
            "DDS003",
            "network.depth",
            id="factor eight fits into eight pixels",
        ),
        pytest.param(
            {
                "parameterization": {"kind": "multi_formation", "factor": 5},
                "dataset": FOLDER | {"size": 4},
            },
            "DDS011",
            "parameterization.factor",
            id="more cells than pixels",
        ),
        pytest.param({"init": {"kind": "mix"}}, "DDS012", "init.kind", id="mix of whole images"),
        pytest.param(
            {"evaluate__on": "validation", "dataset__validation": 0.0},
            "DDS013",
            "evaluate.on",
            id="nothing held out",
        ),
        pytest.param(
            {"expect": [{"accuracy": 0.5, "source": "x", "network": "convnet2"}]},
            "DDS015",
            "expect.0.network",
            id="expected of nobody",
        ),
        pytest.param(
            {"expect": [{"accuracy": 0.5, "source": "x", "set": "herding"}]},
            "DDS015",
            "expect.0.set",
            id="expected of no baseline",
        ),
        pytest.param(
            {"dataset": FOLDER | {"test": None}}, "DDS017", "dataset.test", id="no test split"
        ),
        pytest.param(
            {"dataset": FOLDER | {"holdout": 0.1}},
            "DDS017",
            "dataset.holdout",
            id="two test splits",
        ),
        pytest.param(
            {"evaluate__networks": [CONVNET, CONVNET]},
            "DDS018",
            "evaluate.networks.1",
            id="one network twice",
        ),
        pytest.param(
            {"network": CONVNET | {"norm": "group", "width": 6}},
            "DDS020",
            "network.width",
            id="groups that do not divide",
        ),
    ],
)
def test_a_violated_rule_is_found_where_it_stands(
    small: Experiments, changes: dict[str, Any], code: str, path: str
) -> None:
    experiment = small(**changes)

    assert codes(experiment) == [(code, path)]
    assert all(one.hint for one in report(experiment).errors)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"evaluate__baselines__random": 0}, "DDS014", id="no random baseline"),
        pytest.param({"evaluate__baselines__random": 9}, "DDS014", id="few draws"),
        pytest.param({"evaluate__repeats": 4}, "DDS021", id="few repeats"),
        pytest.param(
            {"perturbation__coefficient": {"law": "fixed", "value": 0.0}},
            "DDS016",
            id="a perturbation of nothing",
        ),
        pytest.param(
            {
                "dataset": {"kind": "cifar10"},
                "augmentation__training": {"kind": "imagenet"},
            },
            "DDS009",
            id="imagenet augmentation of small images",
        ),
        pytest.param(
            {"dataset": FOLDER, "network": {"kind": "resnet_ap"}},
            "DDS006",
            id="an unusual stem",
        ),
        pytest.param({"evaluate__protocol": "idc"}, "DDS023", id="a protocol that mirrors digits"),
        pytest.param(
            {"dataset": {"kind": "mnist"}, "augmentation__training": {"kind": "dsa"}},
            "DDS023",
            id="training on mirrored digits",
        ),
    ],
)
def test_what_a_reviewer_should_see_is_a_note(
    small: Experiments, changes: dict[str, Any], code: str
) -> None:
    quiet = {"evaluate__baselines__random": 10, "evaluate__repeats": 5}
    found = report(small(**(quiet | changes)))

    assert found.errors == ()
    assert [note.code for note in found.notes] == [code]


def test_a_sound_spec_has_neither_errors_nor_notes(small: Experiments) -> None:
    found = report(small(evaluate__baselines__random=10, evaluate__repeats=5))

    assert found == Report((), ())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"dataset": {"kind": "fashion_mnist"}, "evaluate__protocol": "idc"}, id="clothes"
        ),
        pytest.param(
            {"augmentation__training": {"kind": "idc", "operations": ["crop", "rotate"]}},
            id="digits without flip",
        ),
    ],
)
def test_only_mirrored_digits_are_noted(small: Experiments, changes: dict[str, Any]) -> None:
    quiet = {"evaluate__baselines__random": 10, "evaluate__repeats": 5}

    assert report(small(**(quiet | changes))) == Report((), ())


def test_all_violations_come_at_once_and_in_order_of_the_file() -> None:
    text = """\
name: bad
dataset: {kind: digits}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 6, norm: batch}
pool: {kind: recorded}
inner: {kind: frozen}
matcher: {kind: gradient, distance: l1}
init: {kind: mix}
update: {learning_rate: 0.1}
loops: {outer_loops: 1, inner_steps: 1}
evaluate: {protocol: dsaa, on: validation}
"""
    loaded = load_text(text, "bad.yaml")

    with pytest.raises(DdspecError) as caught:
        compile_plan(loaded.experiment, None, loaded.place)

    assert caught.value.exit is Exit.INVALID
    found = [(one.code, one.place.line if one.place else 0) for one in caught.value.diagnostics]
    assert found == [
        ("DDS003", 4),
        ("DDS004", 4),
        ("DDS012", 8),
        ("DDS001", 11),
        ("DDS013", 11),
    ]
    assert "did you mean `dsa`?" in str(caught.value)


def test_a_share_that_holds_no_whole_image_out_is_nothing_to_choose_on(small: Experiments) -> None:
    experiment = small(dataset={**FOLDER, "validation": 0.1}, evaluate__on="validation")
    facts = data_facts(experiment.dataset)

    few = check(experiment, replace(facts, classes=("ant", "bee"), train=8, validation=0), place)

    assert [one.message for one in few.errors if one.code == "DDS013"] == [
        "evaluation on `validation`, but 0.1 of each class is no whole image"
    ]
