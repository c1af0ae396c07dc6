"""Whitening against eigenvectors of numpy's covariance, and against kornia's own fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from ddspec_runners.data.whitening import Whitening, moments
from ddspec_runners.faults import BadData, BadJob

EPS = 0.1
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Split:
    images: Bytes


def split(count: int = 60, shape: tuple[int, ...] = (3, 4, 4), seed: int = 1) -> Split:
    """Return correlated bytes, one of whose pixels never varies."""
    rng = np.random.default_rng(seed)
    features = int(np.prod(shape))
    mixed = rng.normal(size=(count, features)) @ rng.normal(size=(features, features)) * 12 + 128
    images = np.clip(mixed, 0, 255).astype(np.uint8).reshape(count, *shape)
    images[:, 0, 0, 0] = 7
    return Split(images)


def pixels(data: Split) -> Tensor:
    return torch.from_numpy(data.images).double() / 255


def test_the_whitened_set_has_the_covariance_that_the_definition_gives() -> None:
    data = split()
    flat = data.images.reshape(len(data.images), -1).astype(np.float64) / 255
    values, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
    expected = vectors @ np.diag(values / (values + EPS)) @ vectors.T

    white = Whitening.fit(data, EPS).apply(pixels(data))

    covariance = np.cov(white.flatten(1).numpy(), rowvar=False)
    # 60 products of numbers below 10, rounded at 2**-53 each: under 1e-12.
    np.testing.assert_allclose(covariance, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(white.mean(0).numpy(), 0, rtol=0, atol=1e-12)


def test_without_eps_all_directions_that_vary_have_unit_variance() -> None:
    data = split(shape=(1, 3, 3))

    white = Whitening.fit(data, 1e-12).apply(pixels(data)).flatten(1)

    covariance = np.cov(white.numpy(), rowvar=False)
    # eigenvalues are 1e-3 and more, so that eps takes away less than 1e-9 of each
    np.testing.assert_allclose(covariance[1:, 1:], np.eye(8), rtol=0, atol=1e-8)
    assert np.abs(covariance[0]).max() < 1e-8


def test_images_and_their_inverse_are_those_of_a_fit_by_kornia() -> None:
    from kornia.enhance import ZCAWhitening

    data, x = split(), pixels(split())
    theirs = ZCAWhitening(eps=EPS, compute_inv=True).fit(x)

    ours = Whitening.fit(data, EPS)

    # Both decompose a covariance of norm 10 in float64; eps bounds its inverse root by 3.2.
    torch.testing.assert_close(ours.apply(x), theirs(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.inverse(x), theirs.inverse_transform(x), rtol=0, atol=1e-12)


def test_kornia_reads_what_is_stored() -> None:
    from kornia.enhance import ZCAWhitening

    whitening, x = Whitening.fit(split(), EPS), pixels(split())
    module = ZCAWhitening(compute_inv=True)
    for name, value in whitening.tensors(torch.float64).items():
        setattr(module, name, value)
    module.fitted = True

    assert module(x).equal(whitening.apply(x))
    assert set(whitening.tensors(torch.float32)) == set(dict(module.named_buffers()))


def test_the_inverse_gives_pixels_back_in_any_batch_shape() -> None:
    whitening, x = Whitening.fit(split(), EPS), pixels(split()).unflatten(0, (6, 10))

    restored = whitening.inverse(whitening.apply(x))

    assert restored.shape == x.shape
    torch.testing.assert_close(restored, x, rtol=0, atol=1e-12)


def test_moments_are_exact_whatever_the_order_and_the_blocks() -> None:
    data = split(count=2500, shape=(1, 3, 3))
    flat = data.images.reshape(2500, -1).astype(object)
    count, total = 2500, flat.sum(0)
    spread = count * (flat.T @ flat) - np.outer(total, total)  # Python integers
    expected = (spread.astype(np.float64)) / (255**2 * count * (count - 1))

    mean, covariance = moments(data)
    reversed_mean, reversed_covariance = moments(Split(data.images[::-1].copy()))

    assert np.array_equal(covariance.numpy(), expected)
    assert np.array_equal(mean[0].numpy(), total.astype(np.float64) / (255 * count))
    assert mean.equal(reversed_mean)
    assert covariance.equal(reversed_covariance)


def test_float32_images_are_whitened_to_float32_rounding() -> None:
    whitening, x = Whitening.fit(split(), EPS), pixels(split())

    white = whitening.apply(x.float())

    assert white.dtype == torch.float32
    # 48 products of at most 3.2, each rounded at 2**-24: 1e-5
    torch.testing.assert_close(white.double(), whitening.apply(x), rtol=0, atol=1e-5)


def test_whitening_is_differentiable() -> None:
    whitening = Whitening.fit(split(shape=(1, 2, 2)), EPS)
    x = pixels(split(shape=(1, 2, 2)))[:3].requires_grad_()

    assert torch.autograd.gradcheck(lambda x: whitening.apply(x).square(), (x,))
    assert torch.autograd.gradcheck(lambda x: whitening.inverse(x).square(), (x,))


def test_equal_images_are_fitted_once() -> None:
    first = Whitening.fit(split(seed=9), EPS)

    assert Whitening.fit(split(seed=9), EPS) is first
    assert Whitening.fit(split(seed=9), 0.2) is not first
    assert Whitening.fit(split(seed=10), EPS) is not first


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(Split(np.zeros((2, 3, 64, 64), np.uint8)), "3 x 64 x 64", id="too large"),
        pytest.param(Split(np.zeros((1, 1, 2, 2), np.uint8)), "there are 1", id="one image"),
    ],
)
def test_what_cannot_be_whitened_is_refused(data: Split, says: str) -> None:
    with pytest.raises(BadJob, match=says):
        Whitening.fit(data, EPS)


def test_images_of_another_size_are_refused() -> None:
    whitening = Whitening.fit(split(), EPS)

    with pytest.raises(BadJob, match="do not fit a whitening of 48"):
        whitening.apply(torch.zeros(2, 3, 5, 5))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: one * torch.nan, id="no numbers"),
        pytest.param(lambda one: one.long(), id="whole numbers"),
        pytest.param(lambda one: one.flatten()[0], id="scalars"),
        pytest.param(lambda one: one[:0], id="nothing"),
    ],
)
def test_tensors_that_are_no_transform_are_refused(change: Callable[[Tensor], Tensor]) -> None:
    tensors = Whitening.fit(split(), EPS).tensors(torch.float64)

    with pytest.raises(BadData, match=r"tensors of (a|the) whitening"):
        Whitening.of({name: change(one) for name, one in tensors.items()})


def test_a_transform_is_read_back_from_its_tensors() -> None:
    whitening, x = Whitening.fit(split(), EPS), pixels(split())
    tensors = whitening.tensors(torch.float64)

    assert Whitening.of(tensors).apply(x).equal(whitening.apply(x))
    with pytest.raises(BadData, match="mean_vector"):
        Whitening.of({"mean_vector": tensors["mean_vector"]})
    with pytest.raises(BadData, match="do not fit"):
        Whitening.of({**tensors, "transform_inv": torch.zeros(3, 3)})
