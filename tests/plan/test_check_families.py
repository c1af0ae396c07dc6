"""Which pieces of methods do not fit together, and where a message points."""

from __future__ import annotations

from typing import Any

import pytest
from fake_families import FAMILIES, PERTURBED, RESNET, SHORT, TAUGHT, family

from ddspec.errors import Place
from ddspec.plan.check import check
from ddspec.plan.data import data_facts
from ddspec.plan.findings import Report
from ddspec.plan.sharding import blocks_of

BATCH_NORM = {"kind": "convnet", "depth": 3, "norm": "batch"}
SHARDED = {"resources": {"shards": 5}}
FROZEN = {"inner": {"kind": "frozen"}}
PIXELS = {"matcher": {"features": "pixels"}}


def place(*path: str | int) -> Place:
    return Place(".".join(map(str, path)), 1)


def report(name: str, **changes: Any) -> Report:
    experiment = family(name, **changes)
    return check(experiment, data_facts(experiment.dataset), place)


def found(name: str, **changes: Any) -> list[tuple[str, str]]:
    """Return code and path of each error."""
    errors = report(name, **changes).errors
    return [(one.code, one.place.file if one.place else "") for one in errors]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_families_break_no_rule(name: str) -> None:
    assert found(name) == []


@pytest.mark.parametrize("name", FAMILIES)
def test_the_families_have_nothing_to_note_but_a_rate_that_nobody_takes(name: str) -> None:
    codes = {note.code for note in report(name).notes}

    assert codes <= ({"DDS036"} if name in ("tesla", "ftd") else set())


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        pytest.param("mtt", {}, "a student is trained on the images of all classes", id="mtt"),
        pytest.param(
            "dm", {"network": BATCH_NORM}, "batch norm sees the images of all classes", id="dm, bn"
        ),
        pytest.param("dc", {}, "trained on the whole synthetic set", id="dc"),
        pytest.param("sre2l", {}, "a batch holds 100 classes", id="within a batch"),
    ],
)
def test_shards_that_are_not_exact_are_refused_with_the_reason(
    name: str, changes: dict[str, Any], reason: str
) -> None:
    (error,) = report(name, **changes, **SHARDED).errors

    assert (error.code, error.place) == ("DDS024", place("resources", "shards"))
    assert reason in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param("idc", {}, id="a shared clock, whose steps are replayed"),
        pytest.param("dm", {}, id="means of classes"),
        pytest.param("dm", {"update": {"clock": "joint"}}, id="one step of all is one of each"),
        pytest.param("idm", {}, id="a queue never sees the set"),
        pytest.param(
            "dm",
            {"network": BATCH_NORM, "matcher": {"batch_norm": "running"}, "update": {}},
            id="running statistics",
        ),
        pytest.param(
            "dc",
            {
                "loops": {"inner_steps": 1},
                "update": {"clock": "per_class"},
            },
            id="one inner step: nothing is trained on the set",
        ),
        pytest.param("sre2l", {"matcher": {"classes_per_batch": 2}}, id="whole batches"),
    ],
)
def test_shards_that_are_exact_compile(name: str, changes: dict[str, Any]) -> None:
    assert found(name, **changes, **SHARDED) == []


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("dc", "class"),
        ("idc", "class"),
        ("dm", "class"),
        ("idm", "class"),
        ("mtt", "whole"),
        ("tesla", "whole"),
        ("sre2l", "batch"),
        ("teddy_post", "batch"),
    ],
)
def test_a_matcher_declares_what_does_not_see_each_other(name: str, blocks: str) -> None:
    assert blocks_of(family(name)) == blocks


@pytest.mark.parametrize(
    ("name", "changes", "code", "path"),
    [
        pytest.param(
            "sre2l",
            {"network": {"kind": "convnet", "depth": 3}},
            "DDS025",
            "network",
            id="statistics of instance norm",
        ),
        pytest.param(
            "sre2l", {"pool": {"epochs": 0}}, "DDS026", "labels.kind", id="untrained teacher"
        ),
        pytest.param(
            "dm",
            {"evaluate": {"protocol": TAUGHT}},
            "DDS026",
            "evaluate.protocol",
            id="a taught protocol, and no teacher",
        ),
        pytest.param(
            "sre2l",
            {"evaluate": {"protocol": SHORT}},
            "DDS027",
            "evaluate.protocol",
            id="hard labels under soft ones",
        ),
        pytest.param(
            "tesla",
            {"evaluate": {"protocol": SHORT}},
            "DDS027",
            "evaluate.protocol",
            id="an expert's labels that nobody learns from",
        ),
        pytest.param("mtt", FROZEN, "DDS028", "inner.kind", id="no student"),
        pytest.param(
            "dm",
            {"inner": {"kind": "unrolled", "steps": 2, "learning_rate": 0.1}},
            "DDS028",
            "inner.kind",
            id="a student without an expert",
        ),
        pytest.param(
            "sre2l",
            {"inner": {"kind": "on_synthetic", "epochs": 2}},
            "DDS028",
            "inner.kind",
            id="statistics of a network in motion",
        ),
        pytest.param("mtt", {"pool": {"kind": "fresh"}}, "DDS029", "pool.kind", id="no experts"),
        pytest.param(
            "mtt", {"pool": {"record": "last"}}, "DDS029", "pool.record", id="no trajectory"
        ),
        pytest.param(
            "mtt", {"pool": {"epochs": 4}}, "DDS029", "pool.epochs", id="a short trajectory"
        ),
        pytest.param(
            "mtt",
            {"evaluate": {"protocol": {**SHORT, "learned_rate": True}}},
            "DDS030",
            "evaluate.protocol",
            id="whitened, and judged unwhitened",
        ),
        pytest.param(
            "mtt",
            {"evaluate": {"protocol": {**SHORT, "learned_rate": True, "zca": 0.5}}},
            "DDS030",
            "evaluate.protocol",
            id="whitened otherwise",
        ),
        pytest.param(
            "teddy_prior",
            {"matcher": {"models_per_image": 10}},
            "DDS034",
            "matcher.models_per_image",
            id="more networks than the pool has",
        ),
        pytest.param(
            "teddy_prior",
            {"pool": {"record": {"first": 50, "last": 40}}},
            "DDS035",
            "pool.record",
            id="nothing recorded",
        ),
        pytest.param(
            "dm",
            {"evaluate": {"protocol": {**SHORT, "learned_rate": True}}},
            "DDS036",
            "evaluate.protocol",
            id="no rate was learned",
        ),
        pytest.param(
            "mtt", {"update": {"clock": "shared"}}, "DDS037", "update.clock", id="clock of classes"
        ),
        pytest.param(
            "mtt", {"loops": {"inner_steps": 5}}, "DDS038", "loops.inner_steps", id="inner steps"
        ),
        pytest.param(
            "sre2l",
            {"pool": {"kind": "checkpoints", "weights": [{"kind": "torchvision"}]}},
            "DDS039",
            "pool.weights.0",
            id="weights of another stem",
        ),
        pytest.param(
            "sre2l",
            {
                "network": {**RESNET, "stem": "imagenet"},
                "pool": {"kind": "checkpoints", "weights": [{"kind": "torchvision"}]},
            },
            "DDS039",
            "pool.weights.0",
            id="weights of other classes",
        ),
        pytest.param(
            "teddy_post",
            {"network": {"model": "mobilenet_v2", "stem": "imagenet"}},
            "DDS065",
            "pool.kind",
            id="channels in groups",
        ),
        pytest.param(
            "teddy_post",
            {"network": {"kind": "convnet", "depth": 3, "norm": "layer"}},
            "DDS065",
            "pool.kind",
            id="channels under layer norm",
        ),
        pytest.param(
            "teddy_post",
            {"pool": {"flops": 0.5}},
            "DDS073",
            "pool.flops",
            id="a share of a network's operations",
        ),
        pytest.param(
            "teddy_post",
            # 3 convolutions of one channel, 3 norms, 16 features of one channel in a classifier
            # of 10: 3x9+1 + 2 x (9+1) + 3 x 2 + 16 x 10 + 10 = 224 parameters
            {"network": BATCH_NORM, "pool": {"flops": None, "parameters": 223}},
            "DDS073",
            "pool.parameters",
            id="less than one channel a layer",
        ),
        pytest.param(
            "dm", {"labels": {"kind": "expert"}}, "DDS040", "labels.kind", id="labels of nobody"
        ),
        pytest.param(
            "mtt", {"update": {"clamp": "every_step"}}, "DDS041", "update.clamp", id="zca, clamped"
        ),
        pytest.param(
            "dm",
            {"parameterization": {"zca_eps": 0.1}},
            "DDS042",
            "parameterization.zca_eps",
            id="eps of nothing",
        ),
        pytest.param(
            "mtt",
            {"augmentation": {"training": {"kind": "pad_crop", "fill": "black"}}},
            "DDS048",
            "augmentation.training.fill",
            id="black of whitened images",
        ),
        pytest.param(
            "idm",
            {"pool": {"kind": "fresh"}},
            "DDS044",
            "matcher.cross_entropy",
            id="an accuracy that nobody measures",
        ),
        pytest.param(
            "dm",
            {**PIXELS, "pool": {"kind": "recorded"}},
            "DDS067",
            "pool.kind",
            id="networks beside pixels",
        ),
        pytest.param(
            "dm",
            {**PIXELS, "perturbation": PERTURBED},
            "DDS067",
            "perturbation.kind",
            id="perturbed beside pixels",
        ),
        pytest.param(
            "dm",
            {**PIXELS, "inner": {"kind": "on_real", "steps": 2}},
            "DDS067",
            "inner.kind",
            id="training beside pixels",
        ),
        pytest.param(
            "dm",
            {"matcher": {"features": "pixels", "cross_entropy": {"weight": 1.0}}},
            "DDS068",
            "matcher.cross_entropy",
            id="classified pixels",
        ),
    ],
)
def test_what_does_not_fit_is_told_where_it_stands(
    name: str, changes: dict[str, Any], code: str, path: str
) -> None:
    assert (code, path) in found(name, **changes)
    assert all(one.hint for one in report(name, **changes).errors)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param("dm", {"pool": {"kind": "recorded"}, "perturbation": PERTURBED}, id="dm"),
        pytest.param("mtt", {"perturbation": PERTURBED}, id="starts of students"),
        pytest.param("teddy_prior", {"perturbation": PERTURBED}, id="teachers"),
        pytest.param("dc", {"inner": {"kind": "on_real", "steps": 2}}, id="dc on real data"),
        pytest.param(
            "idm",
            {
                "pool": {"kind": "fresh"},
                "matcher": {"cross_entropy": {"weight": 0.5, "by_accuracy": False}},
            },
            id="idm without its queue",
        ),
        pytest.param("dm", {"network": {"kind": "classic", "model": "vgg11"}}, id="dm on vgg"),
        pytest.param("dm", PIXELS, id="pixels"),
        pytest.param(
            "teddy_post",
            {"network": BATCH_NORM, "pool": {"flops": None, "parameters": 224}},
            id="one channel a layer",
        ),
        pytest.param(
            "mtt", {"parameterization": {"kind": "multi_formation", "factor": 2}}, id="mtt, packed"
        ),
    ],
)
def test_what_makes_sense_compiles_though_nobody_published_it(
    name: str, changes: dict[str, Any]
) -> None:
    assert found(name, **changes) == []


@pytest.mark.parametrize(
    ("name", "rate", "told"),
    [
        pytest.param("dm", 0.001, True, id="a rate of [0, 1] in normalised space"),
        pytest.param("dm", 1.0, False, id="dm's own"),
        pytest.param("mtt", 0.1, True, id="dsa's rate for trajectories"),
        pytest.param("mtt", 1e5, False, id="mtt's largest"),
        pytest.param("sre2l", 25.0, True, id="a hundred times sre2l's"),
    ],
)
def test_a_rate_of_another_space_is_noted(name: str, rate: float, told: bool) -> None:
    notes = report(name, update={"learning_rate": rate}).notes

    assert ("DDS032" in {note.code for note in notes}) is told


def test_the_number_of_repeats_that_would_do_is_told() -> None:
    # 2 x (1.96 x 0.8 / 0.5)^2 = 19.7
    expected = [{"accuracy": 0.6, "source": "a table", "tolerance": 0.005}]

    (note,) = report("dm", expect=expected).notes

    assert note.code == "DDS031"
    assert "5 repeats cannot tell 0.5 points apart where accuracies spread by 0.8: 20 can" in (
        note.message
    )


def test_how_baselines_spread_says_nothing_of_the_repeats_of_the_distilled_set() -> None:
    expected = [{"accuracy": 0.3, "source": "T", "tolerance": 0.005, "std": 0.05, "set": "random"}]

    assert report("dm", expect=expected).notes == ()


def test_a_published_deviation_counts_more_than_a_usual_one() -> None:
    # 2 x (1.96 x 0.2 / 0.5)^2 = 1.2
    expected = [{"accuracy": 0.6, "source": "a table", "tolerance": 0.005, "std": 0.002}]

    assert report("dm", expect=expected).notes == ()


@pytest.mark.parametrize(
    ("repeats", "std", "told"),
    [
        # 2 x (1.96 x 0.8)^2 = 4.9
        pytest.param(4, None, True, id="four, as accuracies spread as a rule"),
        pytest.param(5, None, False, id="five"),
        # 2 x (1.96 x 0.4)^2 = 1.2; 2 x (1.96 x 1.5)^2 = 17.3
        pytest.param(2, 0.004, False, id="two where they spread little"),
        pytest.param(17, 0.015, True, id="seventeen where they spread much"),
    ],
)
def test_repeats_that_tell_a_point_follow_from_how_accuracies_spread(
    repeats: int, std: float | None, told: bool
) -> None:
    expected = [{"accuracy": 0.6, "source": "a table"} | ({} if std is None else {"std": std})]

    notes = report("dm", expect=expected, evaluate={"repeats": repeats}).notes

    assert ("DDS021" in {note.code for note in notes}) is told
