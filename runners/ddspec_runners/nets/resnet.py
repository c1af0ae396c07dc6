"""ResNets for small images: DC's ResNet-18, plain or with averages, and IDC's ResNet-10 for CIFAR.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 3; sizes and order as
in the official codes of DC (Zhao et al., ICLR 2021) and IDC (Kim et al., ICML 2022).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.nets.base import Params
from ddspec_runners.nets.classic import ClassicNetwork, Piece, Scale, Weights
from ddspec_runners.nets.layers import Statistics, conv, normalise


@dataclass(frozen=True, slots=True)
class Shape:
    """Which of the three."""

    width: int
    """Of the first of four stages; each that follows is twice as wide."""
    blocks: int
    """In a stage."""
    averaged: bool = False
    """Whether maps are halved by averages, after the first ReLU of a block and in its shortcut, and
    all of the last maps enter the classifier, instead of their means."""
    he: bool = False


SHAPES: Mapping[str, Shape] = {
    "resnet18": Shape(64, 2),
    "resnet18_ap": Shape(64, 2, averaged=True),
    "resnet10": Shape(32, 1, he=True),
}


@dataclass(frozen=True, slots=True)
class Block:
    """Two convolutions of 3x3 and a shortcut."""

    name: str
    fan_in: int
    width: int
    halves: bool


class ResNet(ClassicNetwork):
    """A convolution of 3x3 at stride 1, four stages of basic blocks, and the classifier.

    The last three stages begin with a block that halves the side; its shortcut has a 1x1
    convolution and a norm. Convolutions have no bias.
    """

    __slots__ = ()

    @property
    def width(self) -> int:
        """Means of the last maps, or all of them."""
        side = self.size // 8 if self._shape.averaged else 1
        return 8 * self._shape.width * side**2

    def pieces(self) -> Iterator[Piece]:
        """Yield every convolution and its norm."""
        he = self._shape.he
        yield Weights("stem.conv", (self._shape.width, self.channels, 3, 3), he=he)
        yield Scale("stem.norm", self._shape.width)
        for block in self._blocks():
            name, width = block.name, block.width
            yield Weights(f"{name}.conv1", (width, block.fan_in, 3, 3), he=he)
            yield Scale(f"{name}.norm1", width)
            yield Weights(f"{name}.conv2", (width, width, 3, 3), he=he)
            yield Scale(f"{name}.norm2", width)
            if block.halves:
                yield Weights(f"{name}.shortcut.conv", (width, block.fan_in, 1, 1), he=he)
                yield Scale(f"{name}.shortcut.norm", width)

    def embed(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return features (N, D) of images (N, C, H, W)."""
        x = conv("stem.conv", params, x)
        x = F.relu(normalise(self.norm, "stem.norm", params, x, statistics))
        for block in self._blocks():
            x = self._block(block, params, x, statistics)
        return x.flatten(1) if self._shape.averaged else x.mean(dim=(2, 3))

    def _block(self, block: Block, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        name, norm = block.name, self.norm
        strided = 2 if block.halves and not self._shape.averaged else 1
        averaged = 2 if block.halves and self._shape.averaged else 1
        out = conv(f"{name}.conv1", params, x, stride=strided)
        out = F.relu(normalise(norm, f"{name}.norm1", params, out, statistics))
        out = conv(f"{name}.conv2", params, _average(out, averaged))
        out = normalise(norm, f"{name}.norm2", params, out, statistics)
        if block.halves:
            x = conv(f"{name}.shortcut.conv", params, x, padding=0, stride=strided)
            x = _average(x, averaged)
            x = normalise(norm, f"{name}.shortcut.norm", params, x, statistics)
        return F.relu(out + x)

    def _blocks(self) -> Iterator[Block]:
        fan_in = self._shape.width
        for stage in range(4):
            width = self._shape.width << stage
            for index in range(self._shape.blocks):
                halves = stage > 0 and index == 0
                yield Block(f"stage{stage}.block{index}", fan_in, width, halves)
                fan_in = width

    @property
    def _shape(self) -> Shape:
        return SHAPES[self.spec.model]


def _average(x: Tensor, side: int) -> Tensor:
    return x if side == 1 else F.avg_pool2d(x, side)
