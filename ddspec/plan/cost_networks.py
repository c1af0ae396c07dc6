"""Parameters, operations and memory of a network, counted without building it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import assert_never

from ddspec.spec.network import ConvNetSpec, NetworkSpec, ResNetApSpec, TorchvisionSpec


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it holds, does and leaves behind, for one image."""

    parameters: int
    multiplications: int = 0
    floats: int = 0
    """Numbers that training keeps for the backward pass."""


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
        case TorchvisionSpec(model="resnet18"):
            return _resnet18(channels, size, classes)
        case TorchvisionSpec():
            return _efficientnet_b0(channels, size, classes)
        case _:
            assert_never(network)


def _conv(inputs: int, outputs: int, kernel: int, side: int, *, bias: bool = False) -> Layer:
    weights = inputs * outputs * kernel * kernel
    return Layer(weights + bias * outputs, weights * side * side, outputs * side * side)


def _norm(channels: int, side: int, *, relu: bool = True) -> Layer:
    """Return an affine norm by channel, with the ReLU that follows it."""
    return Layer(2 * channels, 0, (1 + relu) * channels * side * side)


def _linear(inputs: int, outputs: int) -> Layer:
    return Layer(inputs * outputs + outputs, inputs * outputs, inputs + outputs)


def _pool(channels: int, side: int) -> Layer:
    return Layer(0, 0, channels * side * side)


# --- ConvNet (methods of the DC family) -----------------------------------------------------------


def _convnet(network: ConvNetSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    width, inputs = network.width, channels
    sides = convnet_sides(network, channels=channels, size=size)
    for side, pooled in pairwise(sides):
        yield _conv(inputs, width, 3, side, bias=True)
        yield _convnet_norm(network, side)
        yield _pool(width, pooled)
        inputs = width
    yield _linear(width * sides[-1] ** 2, classes)


def _convnet_norm(network: ConvNetSpec, side: int) -> Layer:
    area = network.width * side * side
    match network.norm:
        case "none":
            return Layer(0, 0, area)
        case "layer":
            return Layer(2 * area, 0, 2 * area)
        case "instance" | "batch" | "group":
            return _norm(network.width, side)
        case _:
            assert_never(network.norm)


# --- ResNetAP-10 (IDC) ----------------------------------------------------------------------------

STEMS = {"large": (7, 4), "mid": (3, 2), "small": (3, 1)}
"""Kernel of the first convolution and factor of the pooling after it."""


def _resnet_ap(network: ResNetApSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    kernel, pooling = STEMS[network.stem]
    yield _conv(channels, 64, kernel, size)
    yield _norm(64, size)
    side = size // pooling
    yield _pool(64, side)
    inputs = 64
    for outputs in (64, 128, 256, 512):
        pooled = side if outputs == 64 else side // 2
        yield from _pooling_block(inputs, outputs, side, pooled)
        inputs, side = outputs, pooled
    yield _linear(512, classes)


def _pooling_block(inputs: int, outputs: int, side: int, pooled: int) -> Iterator[Layer]:
    """Yield a basic block that convolves at full resolution and pools afterwards."""
    yield _conv(inputs, outputs, 3, side)
    yield _norm(outputs, side)
    yield _conv(outputs, outputs, 3, pooled)
    yield _norm(outputs, pooled)
    if inputs != outputs:
        yield _conv(inputs, outputs, 1, side)
        yield _norm(outputs, pooled, relu=False)


# --- torchvision ----------------------------------------------------------------------------------


def _resnet18(channels: int, size: int, classes: int) -> Iterator[Layer]:
    side = _strided(size)
    yield _conv(channels, 64, 7, side)
    yield _norm(64, side)
    side = _strided(side)
    yield _pool(64, side)
    inputs = 64
    for outputs in (64, 128, 256, 512):
        side = side if outputs == 64 else _strided(side)
        yield from _basic_block(inputs, outputs, side)
        yield from _basic_block(outputs, outputs, side)
        inputs = outputs
    yield _linear(512, classes)


def _basic_block(inputs: int, outputs: int, side: int) -> Iterator[Layer]:
    for first in (inputs, outputs):
        yield _conv(first, outputs, 3, side)
        yield _norm(outputs, side)
    if inputs != outputs:
        yield _conv(inputs, outputs, 1, side)
        yield _norm(outputs, side, relu=False)


EFFICIENTNET_B0 = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Expansion, kernel, stride, channels, repeats of each stage (Tan and Le, ICML 2019, table 1)."""


def _efficientnet_b0(channels: int, size: int, classes: int) -> Iterator[Layer]:
    side = _strided(size)
    yield _conv(channels, 32, 3, side)
    yield _norm(32, side)
    inputs = 32
    for expansion, kernel, stride, outputs, repeats in EFFICIENTNET_B0:
        for index in range(repeats):
            after = _strided(side) if stride == 2 and index == 0 else side
            yield from _inverted_block(inputs, inputs * expansion, outputs, kernel, side, after)
            inputs, side = outputs, after
    yield _conv(320, 1280, 1, side)
    yield _norm(1280, side)
    yield _linear(1280, classes)


def _inverted_block(
    inputs: int, wide: int, outputs: int, kernel: int, side: int, after: int
) -> Iterator[Layer]:
    """Yield expansion, depthwise convolution, squeeze and excitation, projection."""
    if wide != inputs:
        yield _conv(inputs, wide, 1, side)
        yield _norm(wide, side)
    depthwise = wide * kernel * kernel
    yield Layer(depthwise, depthwise * after * after, wide * after * after)
    yield _norm(wide, after)
    squeezed = max(1, inputs // 4)
    yield _conv(wide, squeezed, 1, 1, bias=True)
    yield _conv(squeezed, wide, 1, 1, bias=True)
    yield _conv(wide, outputs, 1, after)
    yield _norm(outputs, after, relu=False)


def _strided(side: int) -> int:
    """Return the side after a convolution or pooling of stride 2 with half padding."""
    return -(-side // 2)
