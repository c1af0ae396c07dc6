"""Parameters, operations and memory of a network, counted without building it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import assert_never

from ddspec.plan.cost_classic import classic_layers
from ddspec.plan.cost_layers import Layer, conv, linear, norm, pool
from ddspec.plan.cost_torchvision import torchvision_layers
from ddspec.spec.network import (
    ClassicSpec,
    ConvNetSpec,
    NetworkSpec,
    ResNetApSpec,
    TorchvisionSpec,
)


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """Sums over a network; operations are those of one image, forward."""

    parameters: int
    flops: int
    """Twice the multiplications of convolutions and linear layers; the rest is neglected."""
    stem_flops: int
    """Part of the first layer, whose input needs no gradient in ordinary training."""
    floats: int
    """Numbers kept for the backward pass."""

    @property
    def training_flops(self) -> int:
        """Forward and backward of one image: 3 x forward, without the stem's input gradient."""
        return 3 * self.flops - self.stem_flops

    @property
    def matching_flops(self) -> int:
        """Gradient of a gradient distance for one synthetic image: 8 x forward.

        Each layer is applied once, the first backward applies it twice (input, weights), and
        differentiating those three gives five more; the stem lacks two of them.
        """
        return 8 * self.flops - 2 * self.stem_flops


@cache
def network_cost(network: NetworkSpec, *, channels: int, size: int, classes: int) -> NetworkCost:
    """Count a network for images of `channels` x `size` x `size` and `classes` outputs."""
    layers = tuple(_layers(network, channels, size, classes))
    return NetworkCost(
        parameters=sum(layer.parameters for layer in layers),
        flops=2 * sum(layer.multiplications for layer in layers),
        stem_flops=2 * layers[0].multiplications,
        floats=sum(layer.floats for layer in layers),
    )


def convnet_sides(network: ConvNetSpec, *, channels: int, size: int) -> tuple[int, ...]:
    """Return the side of the map that each block convolves, and last the one that is left.

    One-channel images of 28 pixels are padded to 32 by the first convolution (DC's code).
    """
    sides = [32 if (channels, size) == (1, 28) else size]
    for _ in range(network.depth):
        sides.append(sides[-1] // 2)
    return tuple(sides)


def _layers(network: NetworkSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    match network:
        case ConvNetSpec():
            return _convnet(network, channels, size, classes)
        case ResNetApSpec():
            return _resnet_ap(network, channels, size, classes)
        case TorchvisionSpec():
            return torchvision_layers(network, channels, size, classes)
        case ClassicSpec():
            return classic_layers(network, channels, size, classes)
        case _:
            assert_never(network)


# --- ConvNet (methods of the DC family) -----------------------------------------------------------


def _convnet(network: ConvNetSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    width, inputs = network.width, channels
    sides = convnet_sides(network, channels=channels, size=size)
    for side, pooled in pairwise(sides):
        yield conv(inputs, width, 3, side, bias=True)
        yield _convnet_norm(network, side)
        yield pool(width, pooled)
        inputs = width
    yield linear(width * sides[-1] ** 2, classes)


def _convnet_norm(network: ConvNetSpec, side: int) -> Layer:
    area = network.width * side * side
    match network.norm:
        case "none":
            return Layer(0, 0, area)
        case "layer":
            return Layer(2 * area, 0, 2 * area)
        case "instance" | "batch" | "group":
            return norm(network.width, side)
        case _:
            assert_never(network.norm)


# --- ResNetAP-10 (IDC) ----------------------------------------------------------------------------

STEMS = {"large": (7, 4), "mid": (3, 2), "small": (3, 1)}
"""Kernel of the first convolution and factor of the pooling after it."""


def _resnet_ap(network: ResNetApSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    kernel, pooling = STEMS[network.stem]
    yield conv(channels, 64, kernel, size)
    yield norm(64, size)
    side = size // pooling
    yield pool(64, side)
    inputs = 64
    for outputs in (64, 128, 256, 512):
        pooled = side if outputs == 64 else side // 2
        yield from _pooling_block(inputs, outputs, side, pooled)
        inputs, side = outputs, pooled
    yield linear(512, classes)


def _pooling_block(inputs: int, outputs: int, side: int, pooled: int) -> Iterator[Layer]:
    """Yield a basic block that convolves at full resolution and pools afterwards."""
    yield conv(inputs, outputs, 3, side)
    yield norm(outputs, side)
    yield conv(outputs, outputs, 3, pooled)
    yield norm(outputs, pooled)
    if inputs != outputs:
        yield conv(inputs, outputs, 1, side)
        yield norm(outputs, pooled, relu=False)
