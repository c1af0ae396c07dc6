"""ZCA whitening, as kornia defines it and trajectory matching uses it.

Cazenavette et al., "Dataset Distillation by Matching Training Trajectories", CVPR 2022, section 4
(official code: `kornia.enhance.ZCAWhitening(eps=0.1, compute_inv=True)`, fitted on pixels in [0, 1]
that were not normalised). With m the mean image and Q diag(l) Q' the covariance (over N - 1), an
image x becomes (x - m) Q diag(1 / sqrt(l + eps)) Q'.

kornia fits on all images as floats at once. Here the fit streams over bytes: sums and products of
whole numbers are exact in float64 for up to 370,000 images, so that neither the order of reading
nor threads nor the device show; kornia then transforms with what was found. On one core 50,000
images of 3 x 32 x 32 take about 35 s and half a gigabyte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ddspec.spec.learned import WHITENED_NUMBERS
from ddspec_runners.faults import BadData, BadJob

if TYPE_CHECKING:
    from kornia.enhance import ZCAWhitening

BLOCK = 1024
"""Images that are floats at one time while fitting."""
NAMES = ("mean_vector", "transform_matrix", "transform_inv")
"""Of kornia's state, so that its `ZCAWhitening.load_state_dict` reads what is stored."""


class ByteImages(Protocol):
    """What is read of a prepared split."""

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """Pixels, uint8 (N, C, H, W)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """A fitted transform of images with D = C x H x W numbers."""

    mean: Tensor
    """(1, D), of pixels in [0, 1]."""
    matrix: Tensor
    """(D, D), symmetric."""
    inverse_matrix: Tensor
    """(D, D), symmetric."""

    @classmethod
    def fit(cls, split: ByteImages, eps: float) -> Whitening:
        """Return the transform of a training split, float64 on the CPU; `eps` is added to l.

        Fitted once for the same images in a process. Raises BadJob for fewer than two images, and
        for images of more than 4096 numbers.
        """
        count, *shape = split.images.shape
        features = int(np.prod(shape))
        if features > WHITENED_NUMBERS:  # covariance and eigenvectors have 128 MiB each there
            raise BadJob(
                f"images of {' x '.join(map(str, shape))} cannot be whitened: {features} numbers "
                f"an image, and {WHITENED_NUMBERS} are the most"
            )
        if count < 2:
            raise BadJob(f"whitening needs two training images, there are {count}")
        digest = hashlib.sha256(np.ascontiguousarray(split.images).data).hexdigest()
        return _fitted(_Fit(digest, (count, *shape), eps, split))

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Return the transform that `tensors` gave; raises BadData where it is none."""
        if set(tensors) != set(NAMES):
            raise BadData(f"a whitening has the tensors {', '.join(NAMES)}")
        mean, *matrices = (tensors[name] for name in NAMES)
        if not all(one.is_floating_point() and one.isfinite().all() for one in tensors.values()):
            raise BadData("the tensors of a whitening are finite real numbers")
        size = mean.numel()
        if mean.shape != (1, size) or any(matrix.shape != (size, size) for matrix in matrices):
            raise BadData("the tensors of the whitening do not fit each other")
        return cls(mean, *matrices)

    def tensors(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return what is stored, under kornia's names."""
        values = (self.mean, self.matrix, self.inverse_matrix)
        return {name: value.to(dtype) for name, value in zip(NAMES, values, strict=True)}

    def apply(self, pixels: Tensor) -> Tensor:
        """Return whitened images of pixels (..., C, H, W) in [0, 1]; differentiable, linear."""
        module = self._module(pixels)
        white: Tensor = module(pixels.reshape(-1, *pixels.shape[-3:]))
        return white.reshape(pixels.shape)

    def inverse(self, white: Tensor) -> Tensor:
        """Return the pixels of whitened images (..., C, H, W); nothing is clamped."""
        module = self._module(white)
        pixels: Tensor = module.inverse_transform(white.reshape(-1, *white.shape[-3:]))
        return pixels.reshape(white.shape)

    def _module(self, like: Tensor) -> ZCAWhitening:
        if like.shape[-3:].numel() != self.mean.shape[1]:
            raise BadJob(
                f"images of {tuple(like.shape[-3:])} do not fit a whitening of "
                f"{self.mean.shape[1]} numbers"
            )
        return _module(self, like.dtype, like.device)


@dataclass(frozen=True, slots=True)
class _Fit:
    """A fit, equal to every other on the same bytes with the same eps."""

    digest: str
    shape: tuple[int, ...]
    eps: float
    split: ByteImages = field(compare=False)


@lru_cache(maxsize=2)
def _fitted(fit: _Fit) -> Whitening:
    mean, covariance = moments(fit.split)
    values, vectors = torch.linalg.eigh(covariance)
    # Channels that never vary have eigenvalue zero, up to rounding on either side of it.
    root = (values.clamp(min=0) + fit.eps).sqrt()
    return Whitening(mean, (vectors / root) @ vectors.T, (vectors * root) @ vectors.T)


def moments(split: ByteImages) -> tuple[Tensor, Tensor]:
    """Return the mean (1, D) and the covariance (D, D), over N - 1, of pixels in [0, 1]; float64.

    Exact but for the last divisions, as long as 255 N is below 2^26.5.
    """
    count, *shape = split.images.shape
    features = int(np.prod(shape))
    total = torch.zeros(features, dtype=torch.float64)
    products = torch.zeros(features, features, dtype=torch.float64)
    for start in range(0, count, BLOCK):
        block = torch.from_numpy(split.images[start : start + BLOCK]).flatten(1).double()
        total += block.sum(0)
        products.addmm_(block.T, block)
    spread = count * products - torch.outer(total, total)
    return total[None] / (255 * count), spread / (255**2 * count * (count - 1))


@lru_cache(maxsize=4)
def _module(whitening: Whitening, dtype: torch.dtype, device: torch.device) -> ZCAWhitening:
    # kornia takes seconds to import, and only whitened images need it
    from kornia.enhance import ZCAWhitening

    module = ZCAWhitening(compute_inv=True)
    for name, value in whitening.tensors(dtype).items():
        setattr(module, name, value.to(device))
    module.fitted = True
    return module
