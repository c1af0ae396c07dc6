"""The field's ConvNet: blocks of convolution, norm, activation and pooling, and a linear layer.

Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021, section 4; after Gidaris and
Komodakis, CVPR 2018. Sizes and order follow the code that the methods of this family share.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from ddspec.errors import DdspecError, Exit
from ddspec.spec.network import ConvNetSpec, Pooling, padded_side
from ddspec_runners.nets.base import Params
from ddspec_runners.nets.layered import LayeredNetwork
from ddspec_runners.nets.layers import (
    GROUPS,
    Statistics,
    activate,
    affine,
    conv,
    norm_buffers,
    norm_parameters,
    normalise,
    pool,
)


@dataclass(frozen=True, slots=True)
class ConvNet(LayeredNetwork):
    """Depth blocks of constant width, then all features to a linear layer.

    Kernels are 3x3 with a bias; images of one channel and 28 px are padded by 3 in the first
    convolution, so that their maps have 32 px. Each block halves the map, unless its pooling is
    `none`; odd sides lose their last row.

    Raises:
        DdspecError: the images are too small for the depth, or the width has no 4 equal groups.
    """

    spec: ConvNetSpec
    channels: int
    size: int
    """Side of the images, pixels."""
    classes: int

    def __post_init__(self) -> None:
        side = padded_side(self.channels, self.size)
        if self._pooling != "none" and side >> self.spec.depth == 0:
            raise DdspecError(
                f"a ConvNet of depth {self.spec.depth} halves its maps {self.spec.depth} times, "
                f"which leaves nothing of {self.size} px",
                exit=Exit.INVALID,
                hint=f"use a depth of at most {side.bit_length() - 1}",
            )
        if self.spec.norm == "group" and self.spec.width % GROUPS:
            raise DdspecError(
                f"a width of {self.spec.width} cannot be split into {GROUPS} equal groups",
                exit=Exit.INVALID,
                hint=f"use a width divisible by {GROUPS}, or another norm",
            )

    def init(self, rng: Generator) -> dict[str, Tensor]:
        """Draw parameters by torch's default laws; norms start at scale one and shift zero."""
        params: dict[str, Tensor] = {}
        side, fan_in = padded_side(self.channels, self.size), self.channels
        width = self.spec.width
        for depth in range(self.spec.depth):
            params |= affine(f"block{depth}.conv", (width, fan_in, 3, 3), rng)
            params |= norm_parameters(self.spec.norm, f"block{depth}.norm", (width, side, side))
            side, fan_in = side if self._pooling == "none" else side // 2, width
        return params | affine("classifier", (self.classes, width * side * side), rng)

    def buffers(self) -> dict[str, Tensor]:
        """Return the initial running statistics; empty for every norm but `batch`."""
        buffers: dict[str, Tensor] = {}
        for depth in range(self.spec.depth):
            buffers |= norm_buffers(self.spec.norm, f"block{depth}.norm", self.spec.width)
        return buffers

    def embed(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return the last maps of images (N, C, H, W), all in one row each."""
        for depth in range(self.spec.depth):
            x = conv(f"block{depth}.conv", params, x, padding=self._padding(depth))
            x = normalise(self.spec.norm, f"block{depth}.norm", params, x, statistics)
            x = pool(self._pooling, activate(self.spec.activation or "relu", x))
        return x.flatten(1)

    def _padding(self, depth: int) -> int:
        extra = padded_side(self.channels, self.size) - self.size if depth == 0 else 0
        return 1 + extra // 2

    @property
    def _pooling(self) -> Pooling:
        return self.spec.pooling or "average"
