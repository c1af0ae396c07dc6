"""Decoding against loops over pixels, and what spaces promise."""

from __future__ import annotations

from math import ceil, floor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from ddspec.spec.learned import as_used
from ddspec.spec.method import MultiFormationSpec, ParameterizationSpec, PixelsSpec
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import BadJob
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
    "all factors up to three": MultiFormationSpec(kind="multi_formation", factor=3, decode="multi"),
    "bounded": MultiFormationSpec(kind="multi_formation", factor=4, decode="bound"),
}


def made(spec: ParameterizationSpec) -> Parameterization:
    return make_parameterization(spec, mean=MEAN, std=STD)


def formation(factor: int, space: str = "pixel", decode: str | None = None) -> Parameterization:
    return made(
        MultiFormationSpec.model_validate(
            {"kind": "multi_formation", "factor": factor, "space": space, "decode": decode}
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


def test_multi_decodes_every_image_by_every_factor() -> None:
    learned = images(2, 3, 7, 7)
    expected = [plain_decode(learned, factor, [0.5] * 3) for factor in (1, 2, 3)]

    views = formation(3, decode="multi").decode(learned)

    assert torch.allclose(views, torch.cat(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("factor", "count", "cuts"),
    [
        # 20 images by 3: 128 - 20 leaves room for 12 of 9 patches; of the 128 - 108 left, 8 images
        # take one each, and the other 12 hold 3 of 4 patches: 108 + 12 + 5 views.
        (3, 20, [(3, 12), (2, 3), (1, 5)]),
        (3, 10, [(3, 10)]),
        (3, 14, [(3, 12), (2, 2)]),
        (2, 50, [(2, 19), (1, 31)]),
        (3, 128, [(1, 128)]),
        (3, 140, [(1, 140)]),
        (1, 5, [(1, 5)]),
    ],
    ids=str,
)
def test_bound_decodes_the_first_images_finely_and_the_others_by_what_is_left(
    factor: int, count: int, cuts: list[tuple[int, int]]
) -> None:
    learned, start, expected = images(count, 1, 4, 4), 0, []
    for cut, many in cuts:
        expected.append(plain_decode(learned[start : start + many], cut, [0.5]))
        start += many

    parameterization = one_channel(factor, "bound")

    views = parameterization.decode(learned)
    assert torch.allclose(views, torch.cat(expected), rtol=0, atol=1e-12)
    assert len(views) == parameterization.count(count) <= max(128, count)
    own = parameterization.labels(torch.arange(count))
    assert own.tolist() == [
        int(i)
        for (cut, many), first in zip(cuts, offsets(cuts), strict=True)
        for _ in range(cut**2)
        for i in range(first, first + many)
    ]


def one_channel(factor: int, decode: str) -> Parameterization:
    spec = MultiFormationSpec.model_validate(
        {"kind": "multi_formation", "factor": factor, "decode": decode}
    )
    return make_parameterization(spec, mean=MEAN[:1], std=STD[:1])


def offsets(cuts: list[tuple[int, int]]) -> list[int]:
    return [sum(many for _, many in cuts[:i]) for i in range(len(cuts))]


def test_patches_of_imagenet_have_75_pixels_a_side_and_end_in_grey() -> None:
    learned = torch.ones(1, 3, 224, 224, dtype=torch.float64)

    views = formation(3).decode(learned)

    assert views.shape == (9, 3, 224, 224)
    # 3 x 75 = 225: one column and one row of 0.5 beyond the image
    grey, ones = torch.full((3, 3, 224), 0.5).double(), torch.ones(4, 3, 224, 224).double()
    torch.testing.assert_close(views[[2, 5, 8], :, :, -1], grey, rtol=0, atol=1e-12)
    torch.testing.assert_close(views[[6, 7, 8], :, -1], grey, rtol=0, atol=1e-12)
    torch.testing.assert_close(views[[0, 1, 3, 4]], ones, rtol=0, atol=1e-12)


def test_a_finished_set_may_be_decoded_otherwise_than_it_was_learned() -> None:
    spec = MultiFormationSpec(kind="multi_formation", factor=3, decode="bound", used="single")

    assert made(spec).count(20) == 125
    assert made(as_used(spec)).count(20) == 180
    assert as_used(SPECS["pixels"]) == SPECS["pixels"]


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

        assert views.shape == (2, made(spec).count(5), 3, 8, 8)

    def test_decoding_is_linear_up_to_the_grey_border(self, spec: ParameterizationSpec) -> None:
        a, b = images(2, 3, 8, 8), images(2, 3, 8, 8).flip(0)
        halfway = made(spec).decode((a + b) / 2)

        between = (made(spec).decode(a) + made(spec).decode(b)) / 2
        assert torch.allclose(halfway, between, rtol=0, atol=1e-12)

    def test_every_view_has_the_label_of_its_image(self, spec: ParameterizationSpec) -> None:
        constant = torch.arange(40, dtype=torch.float64)[:, None, None, None].expand(-1, 3, 8, 8)
        views = made(spec).decode(constant)

        own = made(spec).labels(torch.arange(40))
        # corner pixels of a first cell show no grey; other cells may at their far side
        assert views[:, 0, 0, 0].equal(own.double())

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


def whitening() -> Whitening:
    rng = np.random.default_rng(2)
    split = SimpleNamespace(images=rng.integers(0, 256, (90, 3, 5, 5), dtype=np.uint8))
    return Whitening.fit(split, 0.1)


def test_zca_space_is_what_networks_are_fed_and_goes_back_to_pixels() -> None:
    space = Space("zca", MEAN, STD, whitening())
    pixels = images(2, 4, 3, 5, 5)

    white = space.from_pixel(pixels)

    assert torch.equal(white, whitening().apply(pixels))
    assert torch.equal(space.normalise(white), white)
    assert torch.allclose(space.to_pixel(white), pixels, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["pixel", "normalised"])
def test_with_a_whitening_every_space_is_fed_whitened(kind: str) -> None:
    space = Space(kind, MEAN, STD, whitening())  # type: ignore[arg-type]
    pixels = images(2, 4, 3, 5, 5)

    fed = space.normalise(space.from_pixel(pixels))

    assert torch.allclose(fed, whitening().apply(pixels), rtol=0, atol=1e-12)


def test_zca_patches_end_in_the_mean_image() -> None:
    spec = MultiFormationSpec(kind="multi_formation", factor=2, space="zca", zca_eps=0.1)

    views = made(spec).decode(torch.ones(1, 3, 5, 5))

    assert views[1, :, :, -1].eq(0).all()
    assert views[0].eq(1).all()


def test_zca_space_without_its_whitening_cannot_leave_it() -> None:
    space = Space.of(PixelsSpec(space="zca", zca_eps=0.1), MEAN, STD)

    assert space.normalise(images(1, 3, 5, 5)).equal(images(1, 3, 5, 5))
    with pytest.raises(BadJob, match="need the whitening"):
        space.to_pixel(images(1, 3, 5, 5))
    with pytest.raises(BadJob, match="clamp: none"):
        space.clamp(images(1, 3, 5, 5))
