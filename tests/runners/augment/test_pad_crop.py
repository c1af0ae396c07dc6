"""Padding and cropping against a padded image that is cut by hand."""

from __future__ import annotations

from collections import Counter
from math import sqrt

import pytest
import torch
from torch import Generator

from ddspec.spec.augmentation import PadCropSpec
from ddspec_runners.augment.make import make_policy
from ddspec_runners.augment.pad_crop import PadCrop

ROWS = 20_000


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("flip", [True, False], ids=["mirrored", "unmirrored"])
@pytest.mark.parametrize(("size", "padding"), [(8, 4), (7, 2), (5, 0), (4, 6)], ids=str)
def test_a_window_of_the_padded_image_is_shown(size: int, padding: int, flip: bool) -> None:
    policy = PadCrop(PadCropSpec(kind="pad_crop", padding=padding, flip=flip))
    x = torch.randn(6, 3, size, size, generator=seeded(1), dtype=torch.float64)
    draws = policy.draw(6, size, seeded(2), shared=False)
    expected = []
    for i, image in enumerate(x):
        side = size + 2 * padding
        padded = torch.zeros(3, side, side, dtype=torch.float64)
        padded[:, padding : padding + size, padding : padding + size] = image
        top, left = (int(offset) + padding for offset in draws["crop"][i])
        window = padded[:, top : top + size, left : left + size]
        mirrored = flip and draws["flip"][i] == 1
        expected.append(window[:, :, list(reversed(range(size)))] if mirrored else window)

    assert policy.apply(x, draws).equal(torch.stack(expected))


@pytest.mark.parametrize("shared", [True, False], ids=["one window", "one each"])
def test_black_is_padded_as_if_images_were_not_normalised_yet(shared: bool) -> None:
    mean, std = (0.2, 0.5, 0.7), (0.25, 0.5, 0.125)
    policy = make_policy(PadCropSpec(kind="pad_crop", fill="black"), mean=mean, std=std)
    pixels = torch.randint(256, (6, 3, 8, 8), generator=seeded(5)).double() / 255
    draws = policy.draw(6, 8, seeded(6), shared=shared)
    middle, spread = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (mean, std))

    shown = policy.apply((pixels - middle) / spread, draws)
    cut = PadCrop(PadCropSpec(kind="pad_crop")).apply(pixels, draws)  # zero is black of pixels

    # Two roundings of numbers below 6 (0.7 / 0.125) in either: 4 x 6 x 1.1e-16.
    assert shown.sub((cut - middle) / spread).abs().max() < 3e-15
    assert (cut == 0).any()


def test_black_is_not_known_without_the_statistics_of_the_images() -> None:
    with pytest.raises(ValueError, match="give mean and std"):
        make_policy(PadCropSpec(kind="pad_crop", fill="black"))


def test_every_window_is_shown_alike_and_half_are_mirrored() -> None:
    draws = PadCrop(PadCropSpec(kind="pad_crop")).draw(ROWS, 32, seeded(3), shared=False)

    p = 1 / 9
    bound = 5 * sqrt(ROWS * p * (1 - p))
    for axis in draws["crop"].unbind(1):
        counts = Counter(axis.int().tolist())
        assert sorted(counts) == list(range(-4, 5))
        assert all(abs(count - ROWS * p) < bound for count in counts.values())
    assert abs(draws["flip"].sum().item() - ROWS / 2) < 5 * sqrt(ROWS / 4)


def test_without_mirroring_nothing_is_drawn_for_it() -> None:
    mirrored, plain = (
        PadCrop(PadCropSpec(kind="pad_crop", flip=flip)).draw(5, 8, seeded(4), shared=False)
        for flip in (True, False)
    )

    assert set(plain) == {"crop"}
    assert plain["crop"].equal(mirrored["crop"])
