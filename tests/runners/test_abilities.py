"""The planner's table of what runners can do is what they can do."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter

from ddspec.errors import DdspecError
from ddspec.plan import abilities as planned
from ddspec.spec.augmentation import AugmentationSpec
from ddspec.spec.method import AdamUpdateSpec, UpdateSpec
from ddspec.spec.network import ClassicSpec, NetworkSpec, TorchvisionSpec
from ddspec.spec.optimizer import DecaySpec, OptimizerSpec, StepDecaySpec
from ddspec.wire.parts import parts_of
from ddspec.wire.work import EvaluateWork, PretrainWork, Work
from ddspec_runners.abilities import ABLE, require_parts
from ddspec_runners.augment.make import make_policy
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.course import Course
from ddspec_runners.functional.optim import slots, step_in_place
from ddspec_runners.functional.update import Motion, Rule
from ddspec_runners.nets.make import make_network
from ddspec_runners.tasks.table import TASKS

AUGMENTATION: TypeAdapter[AugmentationSpec] = TypeAdapter(AugmentationSpec)
OPTIMIZER: TypeAdapter[OptimizerSpec] = TypeAdapter(OptimizerSpec)
DECAY: TypeAdapter[DecaySpec] = TypeAdapter(DecaySpec)
NETWORK: TypeAdapter[NetworkSpec] = TypeAdapter(NetworkSpec)
CONVNET = {"kind": "convnet"}


def kinds_of(union: Any) -> set[str]:
    """Return the tags of a discriminated union."""
    found: set[str] = set(TypeAdapter(union).json_schema()["discriminator"]["mapping"])
    return found


def test_the_planner_knows_what_this_runner_can_do() -> None:
    assert planned.ABLE == ABLE


def test_no_kind_of_work_is_forgotten() -> None:
    kinds = {
        get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(Work)[0])
    }

    assert set(TASKS) == kinds


@pytest.mark.parametrize("kind", sorted(kinds_of(AugmentationSpec)))
def test_augmentations_are_there_or_refused(kind: str) -> None:
    spec = AUGMENTATION.validate_python({"kind": kind})
    statistics = {"mean": (0.5,) * 3, "std": (0.2,) * 3}

    if kind in ABLE["augmentation"]:
        make_policy(spec, **statistics)
    else:
        with pytest.raises(BadJob, match=f"no augmentation `{kind}`"):
            make_policy(spec, **statistics)


def every_network() -> list[dict[str, str]]:
    families = {"torchvision": TorchvisionSpec, "classic": ClassicSpec}
    several = [
        {"kind": kind, "model": model}
        for kind, spec in families.items()
        for model in get_args(spec.model_fields["model"].annotation)
    ]
    return [{"kind": kind} for kind in sorted(kinds_of(NetworkSpec) - set(families))] + several


@pytest.mark.parametrize("network", every_network(), ids=lambda one: " ".join(one.values()))
def test_networks_are_there_or_refused(network: dict[str, str]) -> None:
    spec = NETWORK.validate_python(network)

    if " ".join(network.values()) in ABLE["network"]:
        make_network(spec, channels=3, size=64, classes=10)
    else:
        with pytest.raises(BadJob, match="no network"):
            make_network(spec, channels=3, size=64, classes=10)


@pytest.mark.parametrize("kind", sorted(kinds_of(OptimizerSpec)))
def test_every_optimiser_is_there(kind: str) -> None:
    assert kind in ABLE["optimizer"]

    params = {"w": torch.zeros(2, 2)}
    spec = OPTIMIZER.validate_python({"kind": kind})
    step_in_place(params, slots(spec, params), {"w": torch.ones(2, 2)}, spec, 0.1, 0)

    assert (params["w"] < 0).all()


@pytest.mark.parametrize("kind", sorted(kinds_of(DecaySpec)))
def test_every_schedule_is_there(kind: str) -> None:
    assert kind in ABLE["schedule"]

    course = Course(0.1, DECAY.validate_python({"kind": kind}), steps=10, batches=2)

    assert 0 < course.at(9) < course.at(0) == 0.1


@pytest.mark.parametrize(
    "update",
    [
        pytest.param(AdamUpdateSpec(kind="adam", learning_rate=0.1), id="adam"),
        pytest.param(UpdateSpec(learning_rate=0.1, averaging=0.99), id="averaging"),
        pytest.param(UpdateSpec(learning_rate=0.1, decay=StepDecaySpec()), id="schedule"),
    ],
)
def test_every_update_is_there(update: Any) -> None:
    assert update.kind in ABLE["update"]

    rule = Rule.of(update, steps=10)
    images = torch.zeros(3)
    moved = rule.step(Motion(images, rule.rest(images)), torch.ones(3), 3).images

    assert (moved < 0).all()


def pretraining(**changes: Any) -> PretrainWork:
    plain: dict[str, Any] = {
        "network": CONVNET,
        "epochs": 2,
        "batch": 8,
        "optimizer": {},
        "decay": None,
        "augmentation": {"kind": "none"},
        "cutmix": 0.0,
        "seed": [0],
        "precision": "float32",
    }
    return PretrainWork.model_validate(plain | changes)


def judging(protocol: dict[str, Any], **changes: Any) -> EvaluateWork:
    whole = {"name": "short", "steps": 5} | protocol
    plain = {"network": CONVNET, "protocol": whole, "seed": [0], "precision": "float32"}
    return EvaluateWork.model_validate(plain | changes)


TEACHERS = {"network": CONVNET, "average": "logits", "batch_norm": "running"}


@pytest.mark.parametrize(
    ("work", "part"),
    [
        pytest.param(
            pretraining(sharpness={"rho": 0.01}), ("optimizer", "sharpness"), id="sharpness"
        ),
        pytest.param(
            judging({"learned_rate": True}), ("protocol", "learned_rate"), id="a learned rate"
        ),
        pytest.param(
            judging({"teaching": {"temperature": 20.0}}), ("protocol", "teaching"), id="teaching"
        ),
        pytest.param(judging({}, teachers=TEACHERS), ("labels", "soft"), id="teachers"),
    ],
)
def test_every_optional_field_is_a_part_that_a_runner_has_or_refuses(
    work: Work, part: tuple[str, str]
) -> None:
    assert part in parts_of(work)
    assert part[1] in ABLE[part[0]]


def test_what_needs_nothing_new_is_let_through() -> None:
    require_parts(pretraining())
    require_parts(pretraining(decay={"kind": "cosine"}))
    require_parts(judging({"decay": None, "reported": "last"}))
    require_parts(judging({"learned_rate": True}))
    require_parts(judging({"teaching": {"temperature": 20.0}}, teachers=TEACHERS))
    require_parts(judging({"mixup": 0.8, "accumulate": 2, "zca": 0.1}, best_on_validation=4))


def test_networks_too_small_for_their_images_are_another_matter() -> None:
    spec = NETWORK.validate_python({"kind": "torchvision", "model": "resnet18"})

    with pytest.raises(DdspecError):
        make_network(spec, channels=3, size=8, classes=10)
