"""Layers of the small networks that papers of the DC family judge their sets with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from ddspec.plan.cost_layers import Layer, conv, linear, norm, pool, relu, strided
from ddspec.plan.cost_torchvision import basic_block, dense_blocks
from ddspec.spec.network import ClassicSpec

ALEXNET = ((128, 5, True), (192, 5, True), (256, 3, False), (192, 3, False), (192, 3, True))
"""Maps, kernel, and whether a pooling follows (DC's code)."""
VGG11 = ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2))
"""Maps and number of convolutions before each pooling (Simonyan and Zisserman, ICLR 2015)."""


def classic_layers(network: ClassicSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    """Yield the layers of a network for images of `size` pixels."""
    match network.model:
        case "alexnet":
            yield from _alexnet(network, channels, size, classes)
        case "vgg11":
            yield from _vgg11(channels, size, classes)
        case "resnet18":
            yield from _resnet((64, 128, 256, 512), 2, channels, size, classes)
        case "resnet10":
            yield from _resnet((32, 64, 128, 256), 1, channels, size, classes)
        case "densenet121":
            yield conv(channels, 64, 3, size)
            yield from dense_blocks(64, size, classes)
        case _:
            assert_never(network.model)


def _padded(channels: int, size: int) -> int:
    """Return the side of the first maps: one-channel images of 28 pixels are padded (DC's code)."""
    return 32 if (channels, size) == (1, 28) else size


def _alexnet(network: ClassicSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    side, inputs = _padded(channels, size), channels
    for outputs, kernel, pooled in ALEXNET:
        yield conv(inputs, outputs, kernel, side, bias=True)
        yield relu(outputs, side) if network.norm is None else norm(outputs, side)
        inputs = outputs
        if pooled:
            side //= 2
            yield pool(outputs, side)
    yield linear(inputs * side * side, classes)


def _vgg11(channels: int, size: int, classes: int) -> Iterator[Layer]:
    side, inputs = _padded(channels, size), channels
    for outputs, repeats in VGG11:
        for _ in range(repeats):
            yield conv(inputs, outputs, 3, side, bias=True)
            yield norm(outputs, side)
            inputs = outputs
        side //= 2
        yield pool(outputs, side)
    yield linear(512 * side * side, classes)


def _resnet(
    widths: tuple[int, ...], blocks: int, channels: int, size: int, classes: int
) -> Iterator[Layer]:
    """Yield a residual network that begins with a 3x3 convolution of stride 1."""
    side, inputs = size, widths[0]
    yield conv(channels, inputs, 3, side)
    yield norm(inputs, side)
    for width in widths:
        after = side if width == widths[0] else strided(side)
        for _ in range(blocks):
            yield from basic_block(inputs, width, side, after)
            inputs, side = width, after
    yield linear(inputs, classes)
