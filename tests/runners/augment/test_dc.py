"""DC's augmentation of MNIST against loops over pixels, and its rotation against scipy's."""

from __future__ import annotations

from collections import Counter
from math import floor, sqrt

import numpy as np
import pytest
import torch
from scipy.ndimage import rotate as scipy_rotate
from torch import Generator, Tensor

from ddspec.spec.augmentation import DcAugmentationSpec
from ddspec_runners.augment import dc
from ddspec_runners.augment.dc import Dc
from ddspec_runners.augment.spline import turned

POLICY = Dc(DcAugmentationSpec(kind="dc"))
ROWS = 20_000


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 3, channels: int = 2, size: int = 7) -> Tensor:
    rng = seeded(n * 100 + channels * 10 + size)
    return torch.randn(n, channels, size, size, generator=rng, dtype=torch.float64)


def deviation(count: int, p: float) -> float:
    """Return five standard deviations of a binomial count."""
    return 5 * sqrt(count * p * (1 - p))


def test_a_crop_shows_the_padded_image_from_its_corner_on() -> None:
    x, offsets = images(), [(-4, 3), (0, 0), (2, -1)]
    mean = [float(x[:, c].mean()) for c in range(2)]
    expected = [
        [
            [
                [
                    float(x[n, c, i + down, j + right])
                    if 0 <= i + down < 7 and 0 <= j + right < 7
                    else mean[c]
                    for j in range(7)
                ]
                for i in range(7)
            ]
            for c in range(2)
        ]
        for n, (down, right) in enumerate(offsets)
    ]

    cropped = dc.crop(x, {"crop": torch.tensor(offsets, dtype=torch.float32)})

    # the mean of 49 x 3 numbers, added up in another order
    torch.testing.assert_close(
        cropped, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-14
    )


def scaled_slowly(image: Tensor, height: int, width: int) -> Tensor:
    """Paste the resized image into the middle of a zero canvas, and cut the old size out of it."""
    channels, size, _ = image.shape
    canvas = max(height, width, size)
    sheet = torch.zeros(channels, canvas, canvas, dtype=image.dtype)
    top, left = (canvas - height) // 2, (canvas - width) // 2
    for i in range(height):
        for j in range(width):
            row, column = floor(i * size / height), floor(j * size / width)
            sheet[:, top + i, left + j] = image[:, row, column]
    first = (canvas - size) // 2
    return sheet[:, first : first + size, first : first + size]


@pytest.mark.parametrize(
    "sides", [(7, 7), (5, 8), (8, 5), (6, 6), (8, 8), (9, 6), (1, 7), (11, 4)], ids=str
)
def test_scaling_takes_nearest_pixels_about_the_middle(sides: tuple[int, int]) -> None:
    x = images()

    scaled = dc.scale(x, {"sides": torch.tensor([sides] * 3, dtype=torch.float32)})

    assert scaled.equal(torch.stack([scaled_slowly(image, *sides) for image in x]))


def test_every_side_of_mnist_is_scaled_as_the_framework_scales_it() -> None:
    x = images(1, 1, 28)
    for side in range(22, 34):
        scaled = dc.scale(x, {"sides": torch.tensor([[side, side]], dtype=torch.float32)})

        whole = torch.nn.functional.interpolate(x, [side, side])
        first = abs(side - 28) // 2
        if side >= 28:
            assert scaled.equal(whole[:, :, first : first + 28, first : first + 28])
        else:
            assert scaled[:, :, first : first + side, first : first + side].equal(whole)
            assert scaled.count_nonzero() == side**2


@pytest.mark.parametrize("size", [7, 8, 28])
def test_rotation_is_that_of_scipy_at_every_angle(size: int) -> None:
    x = images(2, 2, size)
    for degrees in range(-45, 45):
        whole = scipy_rotate(x.numpy(), degrees, axes=(-1, -2), cval=0.3)
        first = (whole.shape[-1] - size) // 2
        expected = whole[:, :, first : first + size, first : first + size]

        fill = torch.tensor(0.3, dtype=torch.float64)
        rotated = turned(x, torch.tensor([float(degrees)]), fill)

        # a spline of values below 5 by sums of 16 products, at 2**-53 each: under 1e-13
        np.testing.assert_allclose(rotated.numpy(), expected, rtol=0, atol=1e-12)


def test_gaps_of_a_rotation_have_the_mean_of_the_batch() -> None:
    x = images(2, 1, 9)

    rotated = dc.rotate(x, {"degrees": torch.tensor([45.0, -45.0])})

    assert rotated[:, :, 0, 0].eq(x.mean()).all()


def test_each_image_gets_an_operation_of_its_own() -> None:
    x, draws = images(3), POLICY.draw(3, 7, seeded(1), shared=False)
    draws = {**draws, "choice": torch.tensor([2.0, 0.0, 1.0])}

    augmented = POLICY.apply(x, draws)

    assert augmented[0].equal(dc.rotate(x, draws)[0])
    assert augmented[1].equal(dc.crop(x, draws)[1])
    assert augmented[2].equal(dc.scale(x, draws)[2])


def test_draws_have_the_distributions_of_the_official_code() -> None:
    draws = POLICY.draw(ROWS, 28, seeded(2), shared=False)

    laws = {
        "choice": range(3),
        "crop": range(-4, 4),  # a permutation of 8 places: one shift is left out
        "degrees": range(-45, 45),
    }
    for name, values in laws.items():
        for column in draws[name].reshape(ROWS, -1).unbind(1):
            counts = Counter(column.int().tolist())
            p = 1 / len(values)
            assert sorted(counts) == list(values)
            assert all(abs(count - ROWS * p) < deviation(ROWS, p) for count in counts.values())
    for column in draws["sides"].unbind(1):
        # int(28 u) for u uniform in 0.8 .. 1.2: 22.4 .. 33.6, where the ends have less
        counts = Counter(column.int().tolist())
        shares = {22: 0.6, **dict.fromkeys(range(23, 33), 1.0), 33: 0.6}
        assert sorted(counts) == sorted(shares)
        for side, share in shares.items():
            p = share / 11.2
            assert abs(counts[side] - ROWS * p) < deviation(ROWS, p)


def test_choices_of_images_are_independent() -> None:
    choices = POLICY.draw(ROWS, 28, seeded(3), shared=False)["choice"]

    pairs = Counter(zip(choices[:-1].tolist(), choices[1:].tolist(), strict=True))
    p = 1 / 9
    assert all(abs(count - ROWS * p) < deviation(ROWS, p) for count in pairs.values())
    assert len(pairs) == 9


@pytest.mark.parametrize("name", dc.OPERATIONS)
def test_derivatives_agree_with_finite_differences(name: str) -> None:
    x = images(2, 1, 4).requires_grad_()
    policy = Dc(DcAugmentationSpec.model_validate({"kind": "dc", "operations": [name]}))
    draws = policy.draw(2, 4, seeded(5), shared=False)

    def curved(x: Tensor) -> Tensor:
        return policy.apply(x, draws).square()

    assert torch.autograd.gradcheck(curved, (x,))
    assert torch.autograd.gradgradcheck(curved, (x,))
