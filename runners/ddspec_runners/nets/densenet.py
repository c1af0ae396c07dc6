"""DenseNet-121 for small images: a first convolution of 3x3 at stride 1, and no pooling after it.

Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, section 3, in the form for
CIFAR that IDC (Kim et al., ICML 2022) judges its sets with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.nets.base import Params
from ddspec_runners.nets.classic import ClassicNetwork, Piece, Scale, Weights
from ddspec_runners.nets.layers import Statistics, conv, normalise

GROWTH: Mapping[str, int] = {"densenet121": 32, "densenet_cifar": 12}
"""Maps that a layer adds: of the paper's network, and of the one that IDC's code builds."""
BLOCKS = (6, 12, 24, 16)
"""Layers of each dense block."""


class DenseNet(ClassicNetwork):
    """Four dense blocks, halved in width and side between them, then norm, ReLU and means.

    A layer is norm, ReLU, 1x1 convolution to four times the growth, norm, ReLU, 3x3 convolution;
    what it adds comes before what it was given. Convolutions have no bias.
    """

    __slots__ = ()

    @property
    def width(self) -> int:
        """Maps after the last block."""
        width = 2 * self._growth
        for index, layers in enumerate(BLOCKS):
            width = (width if index == 0 else width // 2) + layers * self._growth
        return width

    def pieces(self) -> Iterator[Piece]:
        """Yield every convolution and norm."""
        growth, width = self._growth, 2 * self._growth
        yield Weights("stem", (width, self.channels, 3, 3))
        for index, layers in enumerate(BLOCKS):
            if index > 0:
                yield Scale(f"between{index}.norm", width)
                yield Weights(f"between{index}.conv", (width // 2, width, 1, 1))
                width //= 2
            for layer in range(layers):
                name = f"block{index}.layer{layer}"
                yield Scale(f"{name}.norm1", width)
                yield Weights(f"{name}.conv1", (4 * growth, width, 1, 1))
                yield Scale(f"{name}.norm2", 4 * growth)
                yield Weights(f"{name}.conv2", (growth, 4 * growth, 3, 3))
                width += growth
        yield Scale("last.norm", width)

    def embed(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return the means of the last maps, (N, D), of images (N, C, H, W)."""
        x = conv("stem", params, x)
        for index, layers in enumerate(BLOCKS):
            if index > 0:
                x = self._rectified(f"between{index}.norm", params, x, statistics)
                x = F.avg_pool2d(conv(f"between{index}.conv", params, x, padding=0), 2)
            for layer in range(layers):
                name = f"block{index}.layer{layer}"
                new = self._rectified(f"{name}.norm1", params, x, statistics)
                new = conv(f"{name}.conv1", params, new, padding=0)
                new = self._rectified(f"{name}.norm2", params, new, statistics)
                x = torch.cat([conv(f"{name}.conv2", params, new), x], dim=1)
        return self._rectified("last.norm", params, x, statistics).mean(dim=(2, 3))

    def _rectified(self, name: str, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        return F.relu(normalise(self.norm, name, params, x, statistics))

    @property
    def _growth(self) -> int:
        return GROWTH[self.spec.model]
