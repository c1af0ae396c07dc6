"""Each operation of DSA and IDC against loops over pixels, written from the papers' tables."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, floor, sin

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.augment import color, geometry
from ddspec_runners.augment.base import Draws

Image = list[list[list[float]]]
"""Channel, row, column."""
ATOL = 1e-12
"""Grid and sums round at 2**-53 a step: fewer than 200 steps on values below 8 stay under 2e-13."""


def images(n: int = 3, channels: int = 3, size: int = 7) -> Tensor:
    rng = torch.Generator().manual_seed(n * 100 + channels * 10 + size)
    return torch.randn(n, channels, size, size, generator=rng, dtype=torch.float64)


def rows(*values: float | tuple[float, ...]) -> Tensor:
    return torch.tensor(values)


def pixel(plane: list[list[float]], row: int, column: int) -> float:
    size = len(plane)
    return plane[row][column] if 0 <= row < size and 0 <= column < size else 0.0


def bilinear(plane: list[list[float]], row: float, column: float) -> float:
    top, left = floor(row), floor(column)
    down, right = row - top, column - left
    return (
        (1 - down) * (1 - right) * pixel(plane, top, left)
        + (1 - down) * right * pixel(plane, top, left + 1)
        + down * (1 - right) * pixel(plane, top + 1, left)
        + down * right * pixel(plane, top + 1, left + 1)
    )


def each_pixel(image: Image, value: Callable[[list[list[float]], int, int], float]) -> Image:
    size = len(image[0])
    return [[[value(p, i, j) for j in range(size)] for i in range(size)] for p in image]


def flip_slowly(image: Image, draw: list[float]) -> Image:
    last = len(image[0]) - 1
    return each_pixel(image, lambda p, i, j: p[i][last - j] if draw[0] == 1 else p[i][j])


def crop_slowly(image: Image, draw: list[float]) -> Image:
    return each_pixel(image, lambda p, i, j: pixel(p, i + int(draw[0]), j + int(draw[1])))


def scale_slowly(image: Image, draw: list[float]) -> Image:
    c = (len(image[0]) - 1) / 2
    return each_pixel(
        image, lambda p, i, j: bilinear(p, c + draw[1] * (i - c), c + draw[0] * (j - c))
    )


def rotate_slowly(image: Image, draw: list[float]) -> Image:
    c = (len(image[0]) - 1) / 2
    s, k = sin(draw[0]), cos(draw[0])
    return each_pixel(
        image,
        lambda p, i, j: bilinear(p, c + s * (j - c) + k * (i - c), c + k * (j - c) - s * (i - c)),
    )


def cutout_slowly(image: Image, draw: list[float]) -> Image:
    top, bottom, left, right = draw
    return each_pixel(
        image,
        lambda p, i, j: 0.0 if top <= i < bottom and left <= j < right else p[i][j],
    )


def brightness_slowly(image: Image, draw: list[float]) -> Image:
    return each_pixel(image, lambda p, i, j: p[i][j] + draw[0])


def saturation_slowly(image: Image, draw: list[float]) -> Image:
    def value(p: list[list[float]], i: int, j: int) -> float:
        mean = sum(other[i][j] for other in image) / len(image)
        return (p[i][j] - mean) * draw[0] + mean

    return each_pixel(image, value)


def contrast_slowly(image: Image, draw: list[float]) -> Image:
    values = [v for plane in image for row in plane for v in row]
    mean = sum(values) / len(values)
    return each_pixel(image, lambda p, i, j: (p[i][j] - mean) * draw[0] + mean)


FLIP = rows(1, 0, 1)
CROP = rows((1, -2), (0, 0), (-3, 7))
SCALE = rows((0.9, 1.2), (1 / 1.2, 1.05), (1.0, 1.0))
ANGLE = rows(0.26, -0.1, 0.0)
CUTOUT = rows((0, 3, 2, 6), (2, 7, 0, 0), (5, 7, 5, 7))
FACTORS = rows(0.3, 1.7, 1.0)
CASES = [
    pytest.param("flip", geometry.flip, flip_slowly, FLIP, id="flip"),
    pytest.param("crop", geometry.crop, crop_slowly, CROP, id="crop"),
    pytest.param("scale", geometry.scale, scale_slowly, SCALE, id="scale"),
    pytest.param("angle", geometry.rotate, rotate_slowly, ANGLE, id="rotate"),
    pytest.param("cutout", geometry.cutout, cutout_slowly, CUTOUT, id="cutout"),
    pytest.param("brightness", color.brightness, brightness_slowly, FACTORS, id="brightness"),
    pytest.param("saturation", color.saturation, saturation_slowly, FACTORS, id="saturation"),
    pytest.param("contrast", color.contrast, contrast_slowly, FACTORS, id="contrast"),
]
LINEAR = [case for case in CASES if case.id != "brightness"]
Operation = Callable[[Tensor, Draws], Tensor]
Slow = Callable[[Image, list[float]], Image]


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "operation", "slow", "draw"), CASES)
def test_an_operation_agrees_with_loops_over_pixels(
    name: str, operation: Operation, slow: Slow, draw: Tensor, channels: int, size: int
) -> None:
    x = images(channels=channels, size=size)
    expected = [
        slow(image.tolist(), row.reshape(-1).tolist()) for image, row in zip(x, draw, strict=True)
    ]

    actual = operation(x, {name: draw})

    torch.testing.assert_close(
        actual, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=ATOL
    )


@pytest.mark.parametrize(("name", "operation", "slow", "draw"), CASES)
def test_a_shared_row_acts_as_the_same_row_for_every_image(
    name: str, operation: Operation, slow: Slow, draw: Tensor
) -> None:
    x = images()
    row = draw[:1]

    shared = operation(x, {name: row})

    assert shared.equal(operation(x, {name: row.repeat(3, *[1] * (row.ndim - 1))}))


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per image"])
@pytest.mark.parametrize(("name", "operation", "slow", "draw"), CASES)
def test_derivatives_agree_with_finite_differences(
    name: str, operation: Operation, slow: Slow, draw: Tensor, shared: bool
) -> None:
    x = images(n=3, channels=2, size=4).requires_grad_()
    draws = {name: draw[:1] if shared else draw}

    def curved(x: Tensor) -> Tensor:
        return operation(x, draws).square()

    assert torch.autograd.gradcheck(curved, (x,))
    assert torch.autograd.gradgradcheck(curved, (x,))


@pytest.mark.parametrize(("name", "operation", "slow", "draw"), LINEAR)
def test_all_but_brightness_are_linear_in_the_images(
    name: str, operation: Operation, slow: Slow, draw: Tensor
) -> None:
    x, y = images(), images().flip(0)
    draws = {name: draw}

    together = operation(2 * x - 3 * y, draws)

    torch.testing.assert_close(
        together, 2 * operation(x, draws) - 3 * operation(y, draws), rtol=0, atol=5 * ATOL
    )


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per image"])
@pytest.mark.parametrize(
    ("name", "operation", "identity"),
    [
        pytest.param("flip", geometry.flip, 0.0, id="flip"),
        pytest.param("crop", geometry.crop, (0.0, 0.0), id="crop"),
        pytest.param("cutout", geometry.cutout, (3.0, 3.0, 0.0, 7.0), id="cutout"),
        pytest.param("brightness", color.brightness, 0.0, id="brightness"),
        pytest.param("saturation", color.saturation, 1.0, id="saturation"),
        pytest.param("contrast", color.contrast, 1.0, id="contrast"),
    ],
)
def test_identity_parameters_change_no_bit(
    name: str, operation: Operation, identity: float | tuple[float, ...], shared: bool
) -> None:
    x = images()

    assert operation(x, {name: rows(*[identity] * (1 if shared else 3))}).equal(x)


@pytest.mark.parametrize(
    ("name", "operation", "identity"),
    [
        pytest.param("scale", geometry.scale, (1.0, 1.0), id="scale"),
        pytest.param("angle", geometry.rotate, 0.0, id="rotate"),
    ],
)
def test_identity_resampling_is_exact_for_one_row_and_rounds_among_others(
    name: str, operation: Operation, identity: float | tuple[float, ...]
) -> None:
    x = images()

    assert operation(x, {name: rows(identity)}).equal(x)
    torch.testing.assert_close(
        operation(x, {name: rows(identity, identity, identity)}), x, rtol=0, atol=ATOL
    )


@pytest.mark.parametrize("offset", [(0, 0), (2, -1), (-7, 3), (7, 7)], ids=str)
def test_a_crop_is_the_affine_map_of_its_translation(offset: tuple[int, int]) -> None:
    x = images()
    across = torch.tensor([[offset[1], offset[0]]], dtype=torch.float64)

    cropped = geometry.crop(x, {"crop": rows(offset)})

    mapped = geometry.affine(x, torch.eye(2, dtype=torch.float64)[None], across)
    torch.testing.assert_close(cropped, mapped, rtol=0, atol=ATOL)


@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "not aligned"])
@pytest.mark.parametrize("size", [28, 32, 33])
def test_scale_and_rotation_are_the_same_map_however_corners_are_aligned(
    size: int, aligned: bool
) -> None:
    x = images(size=size)
    zero = torch.zeros(3, dtype=torch.float64)
    angle, (across, down) = ANGLE.double(), SCALE.double().unbind(1)
    turning = torch.stack((angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero), 1)
    scaling = torch.stack((across, zero, zero, zero, down, zero), 1)

    def by_framework(theta: Tensor) -> Tensor:
        grid = F.affine_grid(theta.view(3, 2, 3), list(x.shape), align_corners=aligned)
        return F.grid_sample(x, grid, align_corners=aligned)

    # Grids round at 2**-53 of 17 pixels, times differences of neighbours below 8: under 1e-13.
    rotated, scaled = geometry.rotate(x, {"angle": ANGLE}), geometry.scale(x, {"scale": SCALE})
    torch.testing.assert_close(rotated, by_framework(turning), rtol=0, atol=ATOL)
    torch.testing.assert_close(scaled, by_framework(scaling), rtol=0, atol=ATOL)


def test_flipping_twice_is_the_identity() -> None:
    x = images()
    draws = {"flip": FLIP}

    assert geometry.flip(geometry.flip(x, draws), draws).equal(x)


def test_contrast_keeps_the_mean_of_an_image_and_saturation_that_of_each_pixel() -> None:
    x = images()

    pale = color.saturation(x, {"saturation": FACTORS})
    flat = color.contrast(x, {"contrast": FACTORS})

    torch.testing.assert_close(pale.mean(1), x.mean(1), rtol=0, atol=ATOL)
    torch.testing.assert_close(flat.mean((1, 2, 3)), x.mean((1, 2, 3)), rtol=0, atol=ATOL)


def test_color_is_brightness_then_saturation_then_contrast() -> None:
    x = images(n=1)
    draws = {"brightness": rows(0.4), "saturation": rows(0.2), "contrast": rows(1.4)}

    expected = brightness_slowly(x[0].tolist(), [draws["brightness"].item()])
    expected = saturation_slowly(expected, [draws["saturation"].item()])
    expected = contrast_slowly(expected, [draws["contrast"].item()])

    torch.testing.assert_close(
        color.color(x, draws)[0], torch.tensor(expected, dtype=torch.float64), rtol=0, atol=ATOL
    )


def test_a_positive_angle_turns_anticlockwise() -> None:
    x = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    x[0, 0, 1, 2] = 1

    quarter = geometry.rotate(x, {"angle": rows(torch.pi / 2)})

    assert quarter[0, 0].argmax().item() == 1


def test_a_larger_scale_shows_more_of_the_image() -> None:
    x = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    x[..., 2:7, 2:7] = 1

    shrunk = geometry.scale(x, {"scale": rows((1.2, 1.2))})

    assert shrunk.sum() < x.sum()
