"""Layers of the small networks that papers of the DC family judge their sets with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from ddspec.plan.cost_layers import Layer, conv, linear, max_pool, norm, relu, strided
from ddspec.plan.cost_torchvision import basic_block, dense_blocks
from ddspec.spec.network import ClassicSpec, norm_of, padded_side

ALEXNET = ((128, 5, True), (192, 5, True), (256, 3, False), (192, 3, False), (192, 3, True))
"""Maps, kernel, and whether a pooling follows (DC's code)."""
VGG11 = ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2))
"""Maps and number of convolutions before each pooling (Simonyan and Zisserman, ICLR 2015)."""
WIDE = (64, 128, 256, 512)
NARROW = (32, 64, 128, 256)
"""Maps of the four stages of DC's ResNets, and of IDC's for CIFAR."""


def classic_layers(network: ClassicSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    """Yield the layers of a network for images of `size` pixels."""
    match network.model:
        case "mlp":
            yield from _hidden(channels * size * size, (128, 128), classes)
        case "lenet":
            yield from _lenet(channels, size, classes)
        case "alexnet":
            yield from _alexnet(network, channels, size, classes)
        case "vgg11":
            yield from _vgg11(channels, size, classes)
        case "resnet18":
            yield from _resnet(WIDE, 2, channels, size, classes)
        case "resnet18_ap":
            yield from _resnet_ap(channels, size, classes)
        case "resnet10":
            yield from _resnet(NARROW, 1, channels, size, classes)
        case "densenet121":
            yield conv(channels, 64, 3, size)
            yield from dense_blocks(64, size, classes)
        case "densenet_cifar":
            yield conv(channels, 24, 3, size)
            yield from dense_blocks(24, size, classes, growth=12)
        case _:
            assert_never(network.model)


def pooling_block(inputs: int, outputs: int, side: int, pooled: int) -> Iterator[Layer]:
    """Yield a basic block that convolves at full resolution and pools afterwards."""
    yield conv(inputs, outputs, 3, side)
    yield norm(outputs, side)
    yield conv(outputs, outputs, 3, pooled)
    yield norm(outputs, pooled)
    if inputs != outputs:
        yield conv(inputs, outputs, 1, side)
        yield norm(outputs, pooled, relu=False)


def _hidden(inputs: int, widths: tuple[int, ...], classes: int) -> Iterator[Layer]:
    """Yield linear layers with ReLUs between them."""
    for width in widths:
        yield linear(inputs, width)
        yield relu(width, 1)
        inputs = width
    yield linear(inputs, classes)


def _lenet(channels: int, size: int, classes: int) -> Iterator[Layer]:
    side = size if channels == 1 else size - 4
    yield conv(channels, 6, 5, side, bias=True)
    yield relu(6, side)
    yield max_pool(6, side // 2)
    side = side // 2 - 4
    yield conv(6, 16, 5, side, bias=True)
    yield relu(16, side)
    yield max_pool(16, side // 2)
    yield from _hidden(16 * (side // 2) ** 2, (120, 84), classes)


def _alexnet(network: ClassicSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    side, inputs = padded_side(channels, size), channels
    for outputs, kernel, pooled in ALEXNET:
        yield conv(inputs, outputs, kernel, side, bias=True)
        yield relu(outputs, side) if norm_of(network) == "none" else norm(outputs, side)
        inputs = outputs
        if pooled:
            side //= 2
            yield max_pool(outputs, side)
    yield linear(inputs * side * side, classes)


def _vgg11(channels: int, size: int, classes: int) -> Iterator[Layer]:
    side, inputs = padded_side(channels, size), channels
    for outputs, repeats in VGG11:
        for _ in range(repeats):
            yield conv(inputs, outputs, 3, side, bias=True)
            yield norm(outputs, side)
            inputs = outputs
        side //= 2
        yield max_pool(outputs, side)
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


def _resnet_ap(channels: int, size: int, classes: int) -> Iterator[Layer]:
    """Yield DC's ResNet-18 whose strides are averages, and which has none after its last stage."""
    side, inputs = size, WIDE[0]
    yield conv(channels, inputs, 3, side)
    yield norm(inputs, side)
    for width in WIDE:
        pooled = side if inputs == width else side // 2
        yield from pooling_block(inputs, width, side, pooled)
        yield from pooling_block(width, width, pooled, pooled)
        inputs, side = width, pooled
    yield linear(inputs * side * side, classes)
