"""An edit of any setting moves the keys of the stages that it is about, and of those below them."""

from __future__ import annotations

from typing import Any

import pytest
from fake_families import PERTURBED, SHORT, TAUGHT, planned

from ddspec.plan.ir import Plan

SETS = {"distill", "evaluate"}
WHITENED = {"pool", "distill", "select/init", "evaluate", "evaluate/init"}


def moved(before: Plan, after: Plan) -> set[str]:
    """Return the groups of stages whose keys are others now, or that are new."""
    old = {stage.label: stage.key for stage in before}
    return {group(stage.label) for stage in after if old.get(stage.label) != stage.key}


def group(label: str) -> str:
    """Return `pool` for `pool/3`, `evaluate/random` for that of any network."""
    head, *rest = label.split("/")
    if head == "pool" and rest == ["converged"]:
        return label
    return f"{head}/{rest[0]}" if rest and rest[0] in ("random", "init", "full") else head


@pytest.mark.parametrize(
    ("family", "changes", "expected"),
    [
        pytest.param("dc", {"inner": {"epochs": 10}}, SETS, id="epochs on the set"),
        pytest.param("dc", {"augmentation": {"training": {"kind": "dsa"}}}, SETS, id="dsa"),
        pytest.param("idc", {"inner": {"warmup": {"epochs": 5}}}, SETS, id="warm start"),
        pytest.param(
            "mtt", {"pool": {"record": {"last": 8}}}, {"pool", *SETS}, id="what is recorded"
        ),
        pytest.param("mtt", {"pool": {"cutmix": 0.5}}, {"pool", *SETS}, id="the pool's cutmix"),
        pytest.param("mtt", {"matcher": {"max_start": 3}}, SETS, id="where students start"),
        pytest.param("mtt", {"matcher": {"expert_epochs": 3}}, SETS, id="how far they follow"),
        pytest.param("mtt", {"matcher": {"gradient": "tesla"}}, SETS, id="which gradient"),
        pytest.param("mtt", {"inner": {"steps": 7}}, SETS, id="steps of the student"),
        pytest.param("mtt", {"inner": {"batch": 32}}, SETS, id="its batch"),
        pytest.param(
            "mtt", {"inner": {"learned": {"learning_rate": 1e-6}}}, SETS, id="rate of the rate"
        ),
        pytest.param(
            "mtt",
            {
                "parameterization": {"zca_eps": 0.2},
                "evaluate": {"protocol": {**SHORT, "zca": 0.2, "learned_rate": True}},
            },
            {*WHITENED, "evaluate/random", "evaluate/full"},
            id="whitening",
        ),
        pytest.param("ftd", {"pool": {"sharpness": {"alpha": 0.4}}}, {"pool", *SETS}, id="gsam"),
        pytest.param("ftd", {"update": {"averaging": 0.999}}, SETS, id="averaging"),
        pytest.param("dm", {"matcher": {"features": "pixels"}}, SETS, id="features"),
        pytest.param("dm", {"perturbation": PERTURBED}, SETS, id="perturbed under dm"),
        pytest.param("idm", {"pool": {"every": 5}}, SETS, id="the queue"),
        pytest.param("idm", {"augmentation": {"cutmix": 0.5}}, SETS, id="cutmix in the queue"),
        pytest.param(
            "idm", {"matcher": {"cross_entropy": {"weight": 0.1}}}, SETS, id="cross-entropy"
        ),
        pytest.param(
            "sre2l", {"matcher": {"roll": {"high": 8}}}, {"relabel", *SETS}, id="views of recovery"
        ),
        pytest.param("sre2l", {"update": {"betas": [0.9, 0.9]}}, {"relabel", *SETS}, id="betas"),
        pytest.param(
            "sre2l",
            {"labels": {"batch_norm": "batch"}},
            {"relabel", "relabel/random", "relabel/init"}
            | {"evaluate", "evaluate/random", "evaluate/init", "evaluate/full"},
            id="how teachers look",
        ),
        pytest.param(
            "sre2l",
            {"evaluate": {"protocol": {**TAUGHT, "teaching": {"temperature": 5}}}},
            {"evaluate", "evaluate/random", "evaluate/init", "evaluate/full"},
            id="temperature",
        ),
        pytest.param(
            "sre2l",
            {"evaluate": {"protocol": {**TAUGHT, "mixup": 0.4}}},
            {"relabel", "relabel/random", "relabel/init"}
            | {"evaluate", "evaluate/random", "evaluate/init", "evaluate/full"},
            id="views of students",
        ),
        pytest.param(
            "teddy_prior", {"matcher": {"models_per_image": 2}}, {"relabel", *SETS}, id="models"
        ),
        pytest.param(
            "teddy_post",
            {"pool": {"flops": 1e9}},
            {"pool", "distill", "evaluate", "evaluate/random", "evaluate/init", "evaluate/full"},
            id="how much is pruned",
        ),
        pytest.param(
            "teddy_post",
            {"pool": {"converged": {"kind": "trained", "epochs": 60}}},
            {"pool/converged", "pool", "distill"}
            | {"evaluate", "evaluate/random", "evaluate/init", "evaluate/full"},
            id="what is pruned",
        ),
    ],
)
def test_an_edit_moves_what_it_is_about_and_what_follows(
    family: str, changes: dict[str, Any], expected: set[str]
) -> None:
    before, after = planned(family), planned(family, **changes)

    assert moved(before, after) == expected


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        pytest.param("mtt", {"title": "Trajectories"}, id="a title"),
        pytest.param("mtt", {"augmentation": {"matching": {"kind": "none"}}}, id="a default"),
        pytest.param("sre2l", {"labels": {"stored": "per_view"}}, id="a default of labels"),
        pytest.param("mtt", {"pool": {"record": {"first": 0}}}, id="every epoch in other words"),
        pytest.param("mtt", {"parameterization": {"zca_eps": 0.1}}, id="the eps that it has"),
        pytest.param("dm", {"update": {"kind": "sgd"}}, id="the kind that it is"),
    ],
)
def test_what_computes_the_same_has_the_same_keys(family: str, changes: dict[str, Any]) -> None:
    assert moved(planned(family), planned(family, **changes)) == set()
