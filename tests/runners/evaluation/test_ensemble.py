"""Networks in one stack against each of them alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.network import ConvNetSpec
from ddspec_runners.augment.make import make_policy
from ddspec_runners.evaluation.ensemble import train_together
from ddspec_runners.evaluation.examples import Resident
from ddspec_runners.evaluation.train import Trained, Training
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.site import Site, StopRequested

CLASSES, SIZE, MEMBERS, STEPS = 3, 8, 3, 7
DSA = {"kind": "dsa"}
IDC = {"kind": "idc", "operations": ("color", "crop", "flip", "scale", "rotate")}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dsa": {"augmentation": DSA},
    "idc and cutmix": {"augmentation": IDC, "cutmix": 0.5},
    "imagenet and cutmix": {"augmentation": {"kind": "imagenet"}, "cutmix": 1.0},
    "mixup and adamw": {
        "mixup": 0.8,
        "optimizer": {"kind": "adamw", "decayed": "matrices", "weight_decay": 0.1},
        "decay": {"kind": "cosine"},
    },
}


def trainings(protocol: str, norm: str = "instance", members: int = MEMBERS) -> list[Training]:
    """Members that differ in their seed, on images of which the last batch is incomplete."""
    rng = generator("examples")
    labels = torch.arange(10) % CLASSES
    images = torch.randn(10, 3, SIZE, SIZE, generator=rng, dtype=torch.float64)
    spec = ConvNetSpec(kind="convnet", depth=2, width=4, norm=norm)
    said = ProtocolSpec.model_validate(
        {"name": "short", "steps": STEPS, "batch": 4, **PROTOCOLS[protocol]}
    )
    first = Training(
        network=make_network(spec, channels=3, size=SIZE, classes=CLASSES),
        examples=Resident(images, labels),
        protocol=said,
        policy=make_policy(said.augmentation, mean=(0.5,) * 3, std=(0.25,) * 3),
        seed=(0,),
        dtype=torch.float64,
    )
    return [replace(first, seed=(7, "evaluate", repeat)) for repeat in range(members)]


def sites(tmp_path: Path, name: str, members: int = MEMBERS) -> list[Site]:
    made = []
    for member in range(members):
        scratch = tmp_path / f"{name}-{member}"
        scratch.mkdir(exist_ok=True)
        made.append(Site(key=f"{member}" * 64, inputs={}, output=scratch, scratch=scratch))
    return made


def assert_close(found: Trained, alone: Trained) -> None:
    # float64: some 1e3 roundings of 1.1e-16 a step, which norms of eight pixels may enlarge
    for name, value in alone.params.items():
        torch.testing.assert_close(found.params[name], value, rtol=0, atol=1e-10)
    for name, value in alone.buffers.items():
        torch.testing.assert_close(found.buffers[name], value, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.curve, alone.curve, rtol=0, atol=1e-10)


# A norm takes a bias before it away: its gradient is rounding alone, whose sign Adam follows.
@pytest.mark.parametrize(
    ("protocol", "norm"),
    [
        ("plain", "instance"),
        ("dsa", "batch"),
        ("idc and cutmix", "instance"),
        ("idc and cutmix", "batch"),
        ("imagenet and cutmix", "layer"),
        ("mixup and adamw", "none"),
    ],
)
def test_members_are_trained_as_each_alone(tmp_path: Path, protocol: str, norm: str) -> None:
    members = trainings(protocol, norm)

    together = train_together(members, sites(tmp_path, "together"))

    for member, found, site in zip(members, together, sites(tmp_path, "alone"), strict=True):
        assert_close(found, member.run(site))


def test_members_differ_from_each_other(tmp_path: Path) -> None:
    first, second, _ = train_together(trainings("plain"), sites(tmp_path, "together"))

    assert not first.curve.equal(second.curve)


def test_one_member_is_an_ensemble_too(tmp_path: Path) -> None:
    (member,) = trainings("dsa", members=1)

    (found,) = train_together([member], sites(tmp_path, "one", 1))

    assert_close(found, member.run(sites(tmp_path, "alone", 1)[0]))


@pytest.mark.parametrize("stop_at", [1, 4, 6])
def test_an_ensemble_that_was_stopped_ends_with_the_same_bits(tmp_path: Path, stop_at: int) -> None:
    members = trainings("idc and cutmix", "batch")
    whole = train_together(members, sites(tmp_path, "whole"))
    stopped = sites(tmp_path, "stopped")
    looks: list[int] = []

    def stopping() -> bool:
        looks.append(1)
        return len(looks) >= stop_at

    stopped[0].stopping = stopping
    for site in stopped[1:]:
        site.stopping = lambda: len(looks) >= stop_at

    with pytest.raises(StopRequested):
        train_together(members, stopped)
    again = train_together(members, sites(tmp_path, "stopped"))

    for found, expected in zip(again, whole, strict=True):
        assert all(found.params[name].equal(value) for name, value in expected.params.items())
        assert all(found.buffers[name].equal(value) for name, value in expected.buffers.items())
        assert found.curve.equal(expected.curve)


def test_a_member_that_was_left_behind_catches_up_by_itself(tmp_path: Path) -> None:
    members = trainings("dsa")
    whole = train_together(members, sites(tmp_path, "whole"))
    ahead = sites(tmp_path, "mixed")
    looks = iter([False, False, True, True, True])
    ahead[1].stopping = lambda: next(looks)
    with pytest.raises(StopRequested):
        members[1].run(ahead[1])

    found = train_together(members, sites(tmp_path, "mixed"))

    for one, expected in zip(found, whole, strict=True):
        assert_close(one, expected)
