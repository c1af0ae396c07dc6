"""MLP, LeNet, AlexNet and VGG-11 as DC's code has them for small images.

Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021, section 4.1 and official
code. One-channel images of 28 px are padded to 32 in the first convolution of AlexNet and VGG.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.nets.base import Params
from ddspec_runners.nets.classic import ClassicNetwork, Piece, Scale, Weights
from ddspec_runners.nets.layers import Statistics, conv, linear, normalise


class Mlp(ClassicNetwork):
    """Two hidden layers of 128 with ReLUs."""

    __slots__ = ()

    @property
    def width(self) -> int:
        """The last hidden layer."""
        return 128

    def pieces(self) -> Iterator[Piece]:
        """Yield both hidden layers."""
        yield Weights("hidden0", (128, self.channels * self.size**2), bias=True)
        yield Weights("hidden1", (128, 128), bias=True)

    def embed(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return the last hidden layer, (N, 128), of images (N, C, H, W)."""
        x = F.relu(linear("hidden0", params, x.flatten(1)))
        return F.relu(linear("hidden1", params, x))


class LeNet(ClassicNetwork):
    """Two convolutions of 5x5 with max pooling, and hidden layers of 120 and 84.

    The first convolution pads images of one channel, and those only, by 2.
    """

    __slots__ = ()

    @property
    def width(self) -> int:
        """The last hidden layer."""
        return 84

    def pieces(self) -> Iterator[Piece]:
        """Yield convolutions and hidden layers."""
        side = ((self.size + 2 * self._padding - 4) // 2 - 4) // 2
        yield Weights("conv0", (6, self.channels, 5, 5), bias=True)
        yield Weights("conv1", (16, 6, 5, 5), bias=True)
        yield Weights("hidden0", (120, 16 * side**2), bias=True)
        yield Weights("hidden1", (84, 120), bias=True)

    def embed(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return the last hidden layer, (N, 84), of images (N, C, H, W)."""
        x = F.max_pool2d(F.relu(conv("conv0", params, x, padding=self._padding)), 2)
        x = F.max_pool2d(F.relu(conv("conv1", params, x, padding=0)), 2)
        x = F.relu(linear("hidden0", params, x.flatten(1)))
        return F.relu(linear("hidden1", params, x))

    @property
    def _padding(self) -> int:
        return 2 if self.channels == 1 else 0


@dataclass(frozen=True, slots=True)
class Step:
    """A convolution with a bias that keeps the side, its norm, a ReLU, and perhaps max pooling."""

    width: int
    kernel: int
    pooled: bool


ALEXNET = (
    Step(128, 5, pooled=True),
    Step(192, 5, pooled=True),
    Step(256, 3, pooled=False),
    Step(192, 3, pooled=False),
    Step(192, 3, pooled=True),
)
VGG11 = tuple(
    Step(width, 3, pooled=pooled)
    for width, pooled in (
        (64, True),
        (128, True),
        (256, False),
        (256, True),
        (512, False),
        (512, True),
        (512, False),
        (512, True),
    )
)


class Chain(ClassicNetwork):
    """AlexNet or VGG-11: steps in a row, and all of the last maps to the classifier."""

    __slots__ = ()

    @property
    def width(self) -> int:
        """The last maps in one row."""
        side = self.side >> sum(step.pooled for step in self._steps)
        return self._steps[-1].width * side**2

    def pieces(self) -> Iterator[Piece]:
        """Yield every convolution and its norm."""
        fan_in = self.channels
        for index, step in enumerate(self._steps):
            shape = (step.width, fan_in, step.kernel, step.kernel)
            yield Weights(f"conv{index}", shape, bias=True)
            yield Scale(f"norm{index}", step.width)
            fan_in = step.width

    def embed(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return the last maps of images (N, C, H, W), all in one row each."""
        for index, step in enumerate(self._steps):
            extra = (self.side - self.size) // 2 if index == 0 else 0
            x = conv(f"conv{index}", params, x, padding=step.kernel // 2 + extra)
            x = F.relu(normalise(self.norm, f"norm{index}", params, x, statistics))
            x = F.max_pool2d(x, 2) if step.pooled else x
        return x.flatten(1)

    @property
    def _steps(self) -> tuple[Step, ...]:
        return VGG11 if self.spec.model == "vgg11" else ALEXNET
