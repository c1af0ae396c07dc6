"""Random resized crop, jitter and lighting against loops over pixel values in [0, 1]."""

from __future__ import annotations

from itertools import permutations
from math import floor, log, sqrt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ddspec.spec.augmentation import ImageNetAugmentationSpec
from ddspec_runners.augment.imagenet import TRIES, ImageNet, draw_box, resized_crop

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
POLICY = ImageNet(ImageNetAugmentationSpec(kind="imagenet"), MEAN, STD)
ROWS = 4_000
Image = list[list[list[float]]]


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def resized_slowly(plane: list[list[float]], box: list[int], size: int) -> list[list[float]]:
    top, left, height, width = box
    cut = [row[left : left + width] for row in plane[top : top + height]]

    def at(row: float, column: float) -> float:
        row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
        i, j = min(floor(row), height - 2), min(floor(column), width - 2)
        down, right = row - i, column - j
        above = (1 - right) * cut[i][j] + right * cut[i][j + 1]
        below = (1 - right) * cut[i + 1][j] + right * cut[i + 1][j + 1]
        return (1 - down) * above + down * below

    return [
        [at((i + 0.5) * height / size - 0.5, (j + 0.5) * width / size - 0.5) for j in range(size)]
        for i in range(size)
    ]


def grey(image: Image, i: int, j: int) -> float:
    red, green, blue = (plane[i][j] for plane in image)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def jittered_slowly(image: Image, brightness: float, contrast: float, saturation: float) -> Image:
    size = len(image[0])
    cells = [(i, j) for i in range(size) for j in range(size)]
    bright = [[[brightness * v for v in row] for row in plane] for plane in image]
    mean = sum(grey(bright, i, j) for i, j in cells) / len(cells)
    contrasted = [
        [[contrast * v + (1 - contrast) * mean for v in row] for row in plane] for plane in bright
    ]
    return [
        [
            [
                saturation * plane[i][j] + (1 - saturation) * grey(contrasted, i, j)
                for j in range(size)
            ]
            for i in range(size)
        ]
        for plane in contrasted
    ]


def lit_slowly(image: Image, alphas: list[float]) -> Image:
    values = [0.2175, 0.0188, 0.0045]
    vectors = [
        [-0.5675, 0.7192, 0.4009],
        [-0.5808, -0.0045, -0.8140],
        [-0.5836, -0.6948, 0.4203],
    ]
    return [
        [
            [v + sum(a * k * e for a, k, e in zip(alphas, values, row, strict=True)) for v in line]
            for line in plane
        ]
        for plane, row in zip(image, vectors, strict=True)
    ]


def augmented_slowly(pixels: Image, draws: dict[str, list[float]]) -> Image:
    size = len(pixels[0])
    image = [resized_slowly(plane, [int(v) for v in draws["box"]], size) for plane in pixels]
    if draws["flip"][0]:
        image = [[row[::-1] for row in plane] for plane in image]
    factors = (draws[name][0] for name in ("brightness", "contrast", "saturation"))
    return lit_slowly(jittered_slowly(image, *factors), draws["lighting"])


def normalised(pixels: Tensor) -> Tensor:
    mean, std = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (MEAN, STD))
    return (pixels - mean) / std


def test_the_policy_agrees_with_loops_over_pixel_values() -> None:
    pixels = torch.rand(3, 3, 9, 9, generator=seeded(1), dtype=torch.float64)
    draws = POLICY.draw(3, 9, seeded(2), shared=False)
    expected = [
        augmented_slowly(
            image.tolist(), {name: draw[i].reshape(-1).tolist() for name, draw in draws.items()}
        )
        for i, image in enumerate(pixels)
    ]

    augmented = POLICY.apply(normalised(pixels), draws)

    # Fewer than 200 roundings of 2**-53 on values below 10, divided by a deviation above 0.2.
    torch.testing.assert_close(
        augmented, normalised(torch.tensor(expected, dtype=torch.float64)), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("box", [(0, 0, 8, 8), (1, 2, 6, 5), (0, 7, 8, 1), (3, 0, 5, 8)], ids=str)
def test_a_crop_is_enlarged_as_the_framework_resizes_images(box: tuple[int, ...]) -> None:
    x = torch.randn(2, 3, 8, 8, generator=seeded(3), dtype=torch.float64)
    top, left, height, width = box
    cut = x[:, :, top : top + height, left : left + width]

    cropped = resized_crop(x, {"box": torch.tensor([box, box], dtype=torch.float32)})

    resized = F.interpolate(cut, size=8, mode="bilinear", align_corners=False)
    torch.testing.assert_close(cropped, resized, rtol=0, atol=1e-13)


@pytest.mark.parametrize("order", list(permutations(("brightness", "contrast", "saturation"))))
def test_jitter_is_the_same_in_every_order(order: tuple[str, ...]) -> None:
    pixels = torch.rand(3, 6, 6, generator=seeded(8), dtype=torch.float64).tolist()
    strengths = {"brightness": 1.3, "contrast": 0.65, "saturation": 1.2}
    neutral = dict.fromkeys(strengths, 1.0)

    one_by_one = pixels
    for name in order:
        one_by_one = jittered_slowly(one_by_one, **{**neutral, name: strengths[name]})

    at_once = jittered_slowly(pixels, **strengths)
    # a dozen roundings of values below 3
    assert np.abs(np.array(one_by_one) - np.array(at_once)).max() < 1e-14


def test_identity_draws_change_no_bit() -> None:
    x = torch.randn(2, 3, 8, 8, generator=seeded(4))
    one = torch.ones(1)
    draws = {
        "box": torch.tensor([[0.0, 0.0, 8.0, 8.0]]),
        "flip": torch.zeros(1),
        "brightness": one,
        "contrast": one,
        "saturation": one,
        "lighting": torch.zeros(1, 3),
    }

    assert POLICY.apply(x, draws).equal(x)


def test_boxes_lie_inside_and_keep_area_and_ratio_up_to_rounding() -> None:
    size = 224
    box = POLICY.draw(ROWS, size, seeded(5), shared=False)["box"].double()
    top, left, height, width = box.unbind(1)

    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height).max() <= size
    assert (left + width).max() <= size
    # Each side rounds by half a pixel at most.
    assert ((height + 0.5) * (width + 0.5) >= 0.5 * size**2).all()
    assert ((width - 0.5) / (height + 0.5) <= 4 / 3).all()
    assert ((height - 0.5) / (width + 0.5) <= 4 / 3).all()


def test_areas_are_uniform_where_every_ratio_fits() -> None:
    # Below 3/4 of the image no ratio up to 4/3 is too long, so no box is drawn again there.
    size = 1_000
    box = POLICY.draw(ROWS, size, seeded(6), shared=False)["box"].double()
    area = box[:, 2] * box[:, 3] / size**2

    low = ((area > 0.5) & (area <= 0.6)).sum().item()
    high = ((area > 0.6) & (area <= 0.7)).sum().item()

    # Given that a box is in either, each is as likely: five deviations of a fair coin, and the
    # rounding of the sides moves less than 0.002 of the area across the three borders.
    assert abs(low - high) < 5 * sqrt(low + high) + 0.002 * 3 / 0.1 * low


def test_ratios_are_uniform_in_their_logarithm_where_every_ratio_fits() -> None:
    size = 1_000
    box = POLICY.draw(ROWS, size, seeded(7), shared=False)["box"].double()
    fitting = box[box[:, 2] * box[:, 3] < 0.74 * size**2]
    ratio = (fitting[:, 3] / fitting[:, 2]).log() / log(4 / 3)

    # The mean of N uniform numbers on [-1, 1] deviates by 1 / sqrt(3 N), that of squares by
    # sqrt(4 / 45 / N) about 1/3.
    assert abs(ratio.mean().item()) < 5 / sqrt(3 * len(ratio))
    assert abs(ratio.square().mean().item() - 1 / 3) < 5 * sqrt(4 / 45 / len(ratio)) + 0.005


def test_the_first_box_that_fits_is_taken() -> None:
    too_wide, square = (1.0, 1.0), (0.0, 0.5)
    for fit in (0, 3, 9):
        tries = [square if i >= fit else too_wide for i in range(TRIES)]
        unit = torch.tensor([[a for a, _ in tries] + [r for _, r in tries] + [0.0, 0.999]])

        box = draw_box(unit.double(), 100, 0.36)

        assert box.tolist() == [[0, 40, 60, 60]]


def test_the_whole_image_is_taken_when_nothing_fits() -> None:
    unit = torch.ones(1, 2 * TRIES + 2, dtype=torch.float64) * 0.999

    assert draw_box(unit, 100, 0.36).tolist() == [[0, 0, 100, 100]]


def test_jitter_and_lighting_have_the_published_spread() -> None:
    draws = POLICY.draw(ROWS, 8, seeded(8), shared=False)

    for name in ("brightness", "contrast", "saturation"):
        factor = draws[name].double()
        assert factor.min() >= 0.6
        assert factor.max() <= 1.4 + 1e-7  # 1.4 in float32 lies above 1.4
        # The mean of N uniform numbers of range 0.8 deviates by 0.8 / sqrt(12 N).
        assert abs(factor.mean().item() - 1) < 5 * 0.8 / sqrt(12 * ROWS)
    lighting = draws["lighting"].double()
    # A mean of 3 N normal numbers deviates by 0.1 / sqrt(3 N), their deviation by 0.1 / sqrt(6 N).
    assert abs(lighting.mean().item()) < 5 * 0.1 / sqrt(3 * ROWS)
    assert abs(lighting.std().item() - 0.1) < 5 * 0.1 / sqrt(6 * ROWS)
