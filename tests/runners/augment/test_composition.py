"""How the policies compose their operations, and which specs they refuse."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from ddspec.errors import DdspecError
from ddspec.spec.augmentation import (
    DsaSpec,
    IdcAugmentationSpec,
    ImageNetAugmentationSpec,
    NoAugmentationSpec,
    Operation,
)
from ddspec_runners.augment import color, geometry
from ddspec_runners.augment.make import make_policy

SIZE = 8
OPERATIONS: tuple[Operation, ...] = ("flip", "color", "crop", "scale", "rotate", "cutout")
SPECS = {"dsa": DsaSpec, "idc": IdcAugmentationSpec}
DSA = make_policy(DsaSpec(kind="dsa", operations=OPERATIONS))
IDC = make_policy(IdcAugmentationSpec(kind="idc", operations=OPERATIONS))
SEEDS = range(12)
"""Enough for every operation of a uniform choice among six to come up, as a test below checks."""
ALONE = {
    "flip": geometry.flip,
    "color": color.color,
    "crop": geometry.crop,
    "scale": geometry.scale,
    "rotate": geometry.rotate,
    "cutout": geometry.cutout,
}


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def images() -> Tensor:
    return torch.randn(4, 3, SIZE, SIZE, generator=seeded(0), dtype=torch.float64)


@pytest.mark.parametrize("kind", ["dsa", "idc"])
def test_listing_one_more_operation_moves_no_other_parameter(kind: str) -> None:
    few, all_ = (
        make_policy(SPECS[kind](kind=kind, operations=names)).draw(4, SIZE, seeded(1), shared=False)
        for names in (OPERATIONS[1:3], OPERATIONS)
    )

    assert {"crop", "brightness", "saturation", "contrast"} < few.keys()
    assert all(few[name].equal(all_[name]) for name in few.keys() - {"choice"})


def test_no_augmentation_returns_the_images_themselves() -> None:
    x = images()

    assert make_policy(NoAugmentationSpec()).apply(x, {}) is x


@pytest.mark.parametrize("kind", ["dsa", "idc"])
def test_a_policy_without_operations_changes_no_bit(kind: str) -> None:
    x = images()
    policy = make_policy(SPECS[kind](kind=kind, operations=()))
    draws = policy.draw(4, SIZE, seeded(1), shared=False)

    assert policy.apply(x, draws).equal(x)


def test_the_seeds_reach_every_operation() -> None:
    draws = [DSA.draw(4, SIZE, seeded(seed), shared=True) for seed in SEEDS]

    assert {int(draw["choice"][0]) for draw in draws} == set(range(len(OPERATIONS)))


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per image"])
def test_dsa_applies_the_chosen_operation_and_no_other(shared: bool) -> None:
    x = images()
    steps = [ALONE[name] for name in OPERATIONS]
    for seed in SEEDS:
        draws = DSA.draw(4, SIZE, seeded(seed), shared=shared)

        augmented = DSA.apply(x, draws)

        assert augmented.equal(steps[int(draws["choice"][0])](x, draws))


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per image"])
def test_idc_flips_colours_applies_the_chosen_operation_and_cuts_out(shared: bool) -> None:
    x = images()
    steps = [geometry.crop, geometry.scale, geometry.rotate]
    for seed in SEEDS:
        draws = IDC.draw(4, SIZE, seeded(seed), shared=shared)
        chosen = steps[int(draws["choice"][0])]
        expected = chosen(color.color(geometry.flip(x, draws), draws), draws)

        augmented = IDC.apply(x, draws)

        assert augmented.equal(geometry.cutout(expected, draws))


def test_idc_keeps_its_order_whatever_the_order_listed() -> None:
    x = images()
    drawn = [
        make_policy(IdcAugmentationSpec(kind="idc", operations=names))
        for names in (("cutout", "crop", "color", "flip"), ("flip", "color", "crop", "cutout"))
    ]

    first, second = (
        policy.apply(x, policy.draw(4, SIZE, seeded(1), shared=False)) for policy in drawn
    )

    assert first.equal(second)


def test_idc_leaves_zero_where_it_cuts_out_after_colour() -> None:
    idc = IDC
    draws = idc.draw(4, SIZE, seeded(1), shared=False)

    augmented = idc.apply(images(), draws)

    for image, (top, bottom, left, right) in zip(
        augmented, draws["cutout"].int().tolist(), strict=True
    ):
        assert image[:, top:bottom, left:right].eq(0).all()
        assert (bottom - top) * (right - left) > 0


def test_the_imagenet_policy_refuses_images_of_one_channel() -> None:
    spec = ImageNetAugmentationSpec(kind="imagenet")

    with pytest.raises(DdspecError, match="3 channels, these have 1"):
        make_policy(spec, mean=(0.3,), std=(0.2,))


def test_the_imagenet_policy_asks_for_the_normalisation() -> None:
    spec = ImageNetAugmentationSpec(kind="imagenet")

    with pytest.raises(ValueError, match="give mean and std"):
        make_policy(spec)


def test_idc_crops_after_colour_so_that_the_fill_stays_zero() -> None:
    idc = make_policy(IdcAugmentationSpec(kind="idc", operations=("color", "crop")))
    draws = {**idc.draw(4, SIZE, seeded(1), shared=True), "crop": torch.tensor([[1.0, -1.0]])}

    augmented = idc.apply(images(), draws)

    assert augmented[:, :, -1].eq(0).all()
    assert augmented[:, :, :, 0].eq(0).all()
    assert augmented[:, :, :-1, 1:].ne(0).all()
