"""The seam of matchers: what is compared between real and synthetic images.

Shape letters as in `ddspec_runners.nets.base`; n is the number of synthetic images of a class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from torch import Tensor

from ddspec_runners.nets.base import Params

TargetT = TypeVar("TargetT")


class Matcher(Protocol[TargetT]):
    """A pair of pure functions; all randomness is in the images that they are handed.

    Images are normalised and augmented already, (N, C, H, W), one tensor a class.
    """

    @property
    def blocks(self) -> Literal["class", "whole"]:
        """What separates: of a `class`, value k depends on the images of class k alone."""
        ...

    @property
    def exempt(self) -> Mapping[str, str]:
        """Promises of this seam that the matcher cannot keep: name of the check, and why."""
        ...

    def target(
        self,
        params: Params,
        real: Sequence[Tensor],
        classes: Sequence[int],
        statistics: Params | None = None,
        accuracy: Tensor | None = None,
    ) -> TargetT:
        """Return what synthetic images of `classes` shall reproduce; carries no gradient.

        Batch norm is frozen at the running `statistics`, for `loss` too; None leaves it to batches.
        `accuracy` is that of the network in its training, a scalar in [0, 1]; None is not measured.
        """
        ...

    def loss(self, synthetic: Sequence[Tensor], target: TargetT) -> Tensor:
        """Return one value a class, (K,), differentiable in the images.

        Never negative, independent of the order of a class's images, and 0 where synthetic and
        real images of a class are the same.
        """
        ...
