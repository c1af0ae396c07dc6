"""Decoding against loops over pixels, and what spaces promise."""

from __future__ import annotations

from math import ceil, floor

import pytest
import torch
from torch import Tensor

from ddspec.spec.method import MultiFormationSpec, ParameterizationSpec, PixelsSpec
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.parameterization.make import decode_set, make_parameterization
from ddspec_runners.parameterization.space import Space

MEAN, STD = (0.4, 0.5, 0.3), (0.2, 0.25, 0.3)
SPECS: dict[str, ParameterizationSpec] = {
    "pixels": PixelsSpec(),
    "normalised pixels": PixelsSpec(space="normalised"),
    "two patches a side": MultiFormationSpec(kind="multi_formation", factor=2),
    "three normalised patches": MultiFormationSpec(
        kind="multi_formation", factor=3, space="normalised"
    ),
    "one patch": MultiFormationSpec(kind="multi_formation", factor=1),
}


def made(spec: ParameterizationSpec) -> Parameterization:
    return make_parameterization(spec, mean=MEAN, std=STD)


def formation(factor: int, space: str = "pixel") -> Parameterization:
    return made(
        MultiFormationSpec.model_validate(
            {"kind": "multi_formation", "factor": factor, "space": space}
        )
    )


def images(*shape: int) -> Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.rand(shape, generator=rng, dtype=torch.float64)


def plain_decode(learned: Tensor, factor: int, grey: list[float]) -> Tensor:
    """Return the views of (n, C, S, S), each pixel from its four neighbours in its patch."""
    n, channels, side, _ = learned.shape
    cell = ceil(side / factor)
    views = torch.zeros(factor**2 * n, channels, side, side, dtype=torch.float64)
    for view in range(len(views)):
        top, left = (view // n) // factor * cell, (view // n) % factor * cell
        for c in range(channels):
            patch = [
                [
                    float(learned[view % n, c, y, x]) if max(y, x) < side else grey[c]
                    for x in range(left, left + cell)
                ]
                for y in range(top, top + cell)
            ]
            for i in range(side):
                for j in range(side):
                    views[view, c, i, j] = between(
                        patch, place(i, cell, side), place(j, cell, side)
                    )
    return views


def place(i: int, cell: int, side: int) -> float:
    """Return where the centre of output pixel i lies in a patch, which ends at pixel centres."""
    return min(max((i + 0.5) * cell / side - 0.5, 0), cell - 1)


def between(patch: list[list[float]], y: float, x: float) -> float:
    last = len(patch) - 1
    rows, columns = ((floor(at), min(floor(at) + 1, last)) for at in (y, x))
    dy, dx = y - floor(y), x - floor(x)
    upper, lower = ((1 - dx) * patch[r][columns[0]] + dx * patch[r][columns[1]] for r in rows)
    return (1 - dy) * upper + dy * lower


@pytest.mark.parametrize(
    ("side", "factor"),
    [(8, 2), (6, 3), (8, 3), (7, 3), (7, 2), (10, 4), (6, 1)],
    ids=lambda value: str(value),
)
@pytest.mark.parametrize("space", ["pixel", "normalised"])
def test_decoding_equals_bilinear_patches_by_hand(side: int, factor: int, space: str) -> None:
    learned = images(2, 3, side, side)
    levels = [0.5, 0.5, 0.5]
    if space == "normalised":
        levels = [(0.5 - mean) / std for mean, std in zip(MEAN, STD, strict=True)]
    views = formation(factor, space).decode(learned)

    assert torch.allclose(views, plain_decode(learned, factor, levels), rtol=0, atol=1e-12)


def test_a_class_decodes_to_the_same_views_alone_and_among_others() -> None:
    learned = images(3, 2, 3, 8, 8)
    together = formation(2).decode(learned)

    assert together.shape == (3, 8, 3, 8, 8)
    assert torch.equal(together[1], formation(2).decode(learned[1]))


def test_views_of_one_cell_follow_each_other_in_the_order_of_images() -> None:
    # Image 0 is 0.0, 0.1, 0.2, 0.3 in its cells, image 1 is 0.5 more.
    cells = torch.tensor([[0.0, 0.1], [0.2, 0.3]]).repeat_interleave(2, 0).repeat_interleave(2, 1)
    learned = torch.stack((cells, cells + 0.5))[:, None].expand(2, 3, 4, 4)
    views = formation(2).decode(learned)

    expected = torch.tensor([0.0, 0.5, 0.1, 0.6, 0.2, 0.7, 0.3, 0.8])
    assert torch.allclose(views.mean((1, 2, 3)), expected)


def test_labels_of_a_set_are_those_of_the_images_repeated() -> None:
    learned, labels = images(2, 3, 3, 8, 8), torch.tensor([[4, 4, 4], [7, 7, 7]])
    views, repeated = decode_set(formation(2), learned, labels)

    assert views.shape == (24, 3, 8, 8)
    assert repeated.tolist() == [4] * 12 + [7] * 12
    second = Space("pixel", MEAN, STD).normalise(formation(2).decode(learned[1]))
    assert torch.equal(views[12:], second)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
class TestEveryParameterization:
    def test_decoding_says_how_many_views_it_makes(self, spec: ParameterizationSpec) -> None:
        views = made(spec).decode(images(2, 5, 3, 8, 8))

        assert views.shape == (2, 5 * made(spec).views, 3, 8, 8)

    def test_decoding_is_linear_up_to_the_grey_border(self, spec: ParameterizationSpec) -> None:
        a, b = images(2, 3, 8, 8), images(2, 3, 8, 8).flip(0)
        halfway = made(spec).decode((a + b) / 2)

        between = (made(spec).decode(a) + made(spec).decode(b)) / 2
        assert torch.allclose(halfway, between, rtol=0, atol=1e-12)

    def test_every_learned_pixel_reaches_a_view(self, spec: ParameterizationSpec) -> None:
        learned = images(2, 3, 8, 8).requires_grad_()
        (slope,) = torch.autograd.grad(made(spec).decode(learned).sum(), learned)

        assert slope.gt(0).all()

    def test_clamped_images_are_in_the_unit_range(self, spec: ParameterizationSpec) -> None:
        wild = images(2, 3, 8, 8) * 20 - 10
        space = Space(spec.space, MEAN, STD)
        pixels = space.to_pixel(made(spec).clamp(wild))

        assert pixels.min() >= -1e-12
        assert pixels.max() <= 1 + 1e-12
        inside = space.from_pixel(images(2, 3, 8, 8))
        assert torch.equal(made(spec).clamp(inside), inside)

    def test_normalised_images_are_those_of_the_pixels(self, spec: ParameterizationSpec) -> None:
        pixels = images(2, 3, 8, 8)
        learned = Space(spec.space, MEAN, STD).from_pixel(pixels)
        column = torch.tensor([MEAN, STD], dtype=torch.float64)[:, :, None, None]

        expected = (pixels - column[0]) / column[1]
        assert torch.allclose(made(spec).normalise(learned), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["pixel", "normalised"])
def test_a_space_gives_pixels_back(kind: str) -> None:
    space = Space(kind, MEAN, STD)  # type: ignore[arg-type]
    pixels = images(2, 4, 3, 5, 5)

    assert torch.allclose(space.to_pixel(space.from_pixel(pixels)), pixels, rtol=0, atol=1e-12)
