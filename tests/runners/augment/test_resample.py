"""Sampling is the framework's, with the derivatives that the framework lacks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.augment.resample import Fill, resample

fills = pytest.mark.parametrize("fill", ["zeros", "border"])
rows = pytest.mark.parametrize("r", [1, 3], ids=["one row", "row per image"])


def sampled(r: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(7)
    x = torch.randn(3, 2, 5, 5, generator=rng, dtype=dtype)
    # Up to a tenth beyond the image, so that both fills act.
    return x, 2.2 * torch.rand(r, 5, 5, 2, generator=rng, dtype=torch.float64) - 1.1


@fills
@rows
def test_values_are_those_of_the_framework(fill: Fill, r: int) -> None:
    x, grid = sampled(r)

    expected = F.grid_sample(x, grid.expand(3, -1, -1, -1), padding_mode=fill, align_corners=True)

    torch.testing.assert_close(resample(x, grid, fill), expected, rtol=0, atol=1e-14)


@fills
@rows
def test_the_gradient_is_the_transpose(fill: Fill, r: int) -> None:
    x, grid = sampled(r)
    y = x.flip(0)

    _, pulled = torch.func.vjp(lambda x: resample(x, grid, fill), x)

    # <y, A x> = <A' y, x>
    torch.testing.assert_close((y * resample(x, grid, fill)).sum(), (pulled(y)[0] * x).sum())


@fills
@rows
def test_derivatives_of_every_order_exist(fill: Fill, r: int) -> None:
    x, grid = sampled(r)
    x.requires_grad_()

    def cubed(x: Tensor) -> Tensor:
        return resample(x, grid, fill).pow(3).sum()

    assert torch.autograd.gradcheck(cubed, (x,))
    assert torch.autograd.gradgradcheck(cubed, (x,))
    third = torch.func.grad(
        lambda x: torch.func.grad(lambda x: torch.func.grad(cubed)(x).sum())(x).sum()
    )
    assert third(x.detach()).isfinite().all()


def test_rows_that_do_not_fit_the_batch_are_refused() -> None:
    x, grid = sampled(3)

    with pytest.raises(RuntimeError, match="same batch size"):
        resample(x.repeat(2, 1, 1, 1), grid, "zeros")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_keeps_pixels_in_place(dtype: torch.dtype) -> None:
    x = torch.arange(224 * 224).remainder(7).reshape(1, 1, 224, 224).to(dtype)
    axis = torch.linspace(-1, 1, 224, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)[None]

    # Coordinates in float32 are off by 224 * 2**-24 pixels, across differences of 6.
    torch.testing.assert_close(
        resample(x, grid, "zeros"), x, rtol=torch.finfo(dtype).eps, atol=3e-4
    )
