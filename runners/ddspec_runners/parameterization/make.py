"""From a spec to its parameterisation, and what other parts need of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from torch import Tensor

from ddspec.spec.method import MultiFormationSpec, ParameterizationSpec, PixelsSpec
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.parameterization.multi_formation import MultiFormation
from ddspec_runners.parameterization.pixels import Pixels
from ddspec_runners.parameterization.space import Space


def make_parameterization(
    spec: ParameterizationSpec,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    whitening: Whitening | None = None,
) -> Parameterization:
    """Return what a spec names; `mean` and `std` are per channel, of pixels in [0, 1].

    With a `whitening` networks are fed whitened images. To train on a finished set, give what
    `ddspec.spec.learned.as_used` makes of its spec.
    """
    space = Space.of(spec, mean, std, whitening)
    match spec:
        case PixelsSpec():
            return Pixels(space)
        case MultiFormationSpec():
            return MultiFormation(spec, space)
        case _:
            assert_never(spec)


def decode_set(
    parameterization: Parameterization, images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a synthetic set as it is trained on: images (N, C, H, W) as fed, labels (N,).

    `images` is (K, n, C, H, W) in the learned space, `labels` (K, n); N = K * count(n).
    """
    views = parameterization.normalise(parameterization.decode(images)).flatten(0, 1)
    return views, parameterization.labels(labels).flatten()
