"""Where images start: real, mixed or noise; drawn or the first ones; whole or by class."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from ddspec.spec.method import InitSpec, MultiFormationSpec, ParameterizationSpec, PixelsSpec
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import BadJob
from ddspec_runners.parameterization.init import cell_sides, initial_images, mixed

PIXELS = PixelsSpec()
PATCHES = MultiFormationSpec(kind="multi_formation", factor=2)
SEED = (5, "distill")


@dataclass(frozen=True)
class Split:
    """Nine images a class; every pixel of an image is its index, so that it can be recognised."""

    mean: tuple[float, ...] = (0.25, 0.5)
    std: tuple[float, ...] = (0.5, 0.25)
    whitening: Whitening | None = None
    images: npt.NDArray[np.uint8] = field(
        default_factory=lambda: np.broadcast_to(
            np.arange(27, dtype=np.uint8)[:, None, None, None], (27, 2, 6, 6)
        ).copy()
    )

    def of_class(self, label: int) -> slice:
        return slice(9 * label, 9 * label + 9)


def start(
    parameterization: ParameterizationSpec = PIXELS,
    classes: tuple[int, ...] = (0, 1, 2),
    n: int = 2,
    seed: tuple[int | str, ...] = SEED,
    split: Split | None = None,
    **init: Any,
) -> Tensor:
    return initial_images(
        parameterization,
        InitSpec(**init),
        n,
        split or Split(),
        seed,
        classes,
        dtype=torch.float64,
    )


def indices(pixels: Tensor) -> list[list[int]]:
    """Return the real image of each constant one."""
    return (pixels[:, :, 0, 0, 0] * 255).round().long().tolist()


def test_the_first_real_images_of_each_class_are_taken_in_order() -> None:
    pixels = start(kind="real", draw="first")

    assert indices(pixels) == [[0, 1], [9, 10], [18, 19]]
    assert torch.equal(pixels, pixels[..., :1, :1].expand_as(pixels))


def test_drawn_images_are_distinct_and_of_their_class() -> None:
    drawn = indices(start(kind="real", n=9))

    assert [sorted(own) for own in drawn] == [list(range(9 * c, 9 * c + 9)) for c in range(3)]
    assert drawn != [sorted(own) for own in drawn]


def test_mixed_cells_hold_blocks_of_real_images() -> None:
    pixels = start(PATCHES, kind="mix", draw="first")
    corners = (pixels[0, :, 0, ::3, ::3] * 255).round().long()

    assert corners.tolist() == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]
    assert pixels[0, 0, 0, :3, :3].unique().numel() == 1


def test_mix_without_a_grid_takes_whole_images() -> None:
    assert torch.equal(start(kind="mix"), start(kind="real"))


def test_cells_are_resized_by_the_nearest_pixel() -> None:
    ramp = torch.arange(6.0).expand(1, 1, 6, 6)
    cells = mixed(torch.cat([ramp] * 4), 2)

    assert cells[0, 0, 0].tolist() == [0, 2, 4, 0, 2, 4]


@pytest.mark.parametrize(
    ("side", "factor", "sides"), [(8, 2, (4, 4)), (8, 3, (3, 3, 2)), (7, 3, (3, 2, 2))]
)
def test_the_first_cells_get_the_pixels_that_are_left(
    side: int, factor: int, sides: tuple[int, ...]
) -> None:
    assert cell_sides(side, factor) == sides


def test_a_grid_that_does_not_divide_the_image_still_fills_it() -> None:
    spec = MultiFormationSpec(kind="multi_formation", factor=4)
    blocks = torch.arange(16.0)[:, None, None, None].expand(16, 1, 6, 6)

    assert cell_sides(6, 4) == (2, 2, 1, 1)
    assert mixed(blocks, spec.factor)[0, 0, :, 0].tolist() == [0, 0, 4, 4, 8, 12]


@pytest.mark.parametrize("init", [{"kind": "real"}, {"kind": "noise"}, {"kind": "mix"}])
def test_a_class_starts_the_same_alone_and_among_others(init: dict[str, str]) -> None:
    whole = start(PATCHES, **init)

    assert torch.equal(start(PATCHES, classes=(2,), **init)[0], whole[2])
    assert not torch.equal(whole[1] - whole[1].min(), whole[2] - whole[2].min())


def test_a_seed_draws_the_same_images_again_and_another_does_not() -> None:
    assert torch.equal(start(kind="noise"), start(kind="noise"))
    assert not torch.equal(start(kind="noise"), start(kind="noise", seed=(6, "distill")))


def test_pixel_noise_is_grey_and_inside_the_unit_range() -> None:
    noise = start(kind="noise", n=50)

    # 10,800 draws of deviation below 1/4: the mean is within 5 x 0.25 / sqrt(10,800) = 0.012
    assert abs(noise.mean() - 0.5) < 0.012
    assert noise.min() == 0
    assert noise.max() == 1


def test_normalised_noise_is_standard_normal() -> None:
    noise = start(PixelsSpec(space="normalised"), kind="noise", n=50)

    # 5 standard errors at 10,800 draws: 1 / sqrt(N) of the mean, 1 / sqrt(2 N) of the deviation
    assert abs(noise.mean()) < 5 / 10_800**0.5
    assert abs(noise.std() - 1) < 5 / 21_600**0.5


def test_real_images_of_the_normalised_space_are_normalised() -> None:
    normalised = start(PixelsSpec(space="normalised"), kind="real")
    pixels = start(kind="real")

    column = torch.tensor([[0.25, 0.5], [0.5, 0.25]], dtype=torch.float64)[:, :, None, None]
    assert torch.allclose(normalised * column[1] + column[0], pixels, rtol=0, atol=1e-15)


def test_too_few_real_images_name_the_class_and_a_way_out() -> None:
    with pytest.raises(
        BadJob, match="`mix` needs 12 real images of class 0, which has 9: take fewer"
    ):
        start(PATCHES, n=3, kind="mix")


def whitened() -> Split:
    """Return noisy images and their whitening."""
    rng = np.random.default_rng(3)
    noisy = Split(images=rng.integers(0, 256, (27, 2, 6, 6), dtype=np.uint8))
    return replace(noisy, whitening=Whitening.fit(noisy, 0.1))


@pytest.mark.parametrize("kind", ["real", "mix"])
def test_real_images_of_zca_space_are_whitened(kind: str) -> None:
    split = whitened()
    assert split.whitening is not None
    shape = {"kind": "multi_formation", "factor": 2}

    white = start(
        MultiFormationSpec(**shape, space="zca", zca_eps=0.1), split=split, n=1, kind=kind
    )

    pixels = start(MultiFormationSpec(**shape), split=split, n=1, kind=kind)
    # 72 products of at most 3.2 and back, in float64
    torch.testing.assert_close(split.whitening.inverse(white), pixels, rtol=0, atol=1e-11)


def test_noise_of_zca_space_is_standard_normal() -> None:
    zca = PixelsSpec(space="zca", zca_eps=0.1)

    noise = start(zca, split=whitened(), kind="noise")

    assert noise.equal(start(PixelsSpec(space="normalised"), kind="noise"))
