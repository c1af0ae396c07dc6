"""Layers of torchvision's architectures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from ddspec.plan.cost_layers import (
    Layer,
    conv,
    depthwise,
    linear,
    max_pool,
    norm,
    norm_silu,
    pool,
    strided,
)
from ddspec.spec.network import TorchvisionSpec

RESNETS = {
    "resnet18": (2, 2, 2, 2),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
}
"""Blocks of each stage (He et al., CVPR 2016, table 1)."""


def torchvision_layers(
    network: TorchvisionSpec, channels: int, size: int, classes: int
) -> Iterator[Layer]:
    """Yield the layers of an architecture of torchvision."""
    match network.model:
        case "resnet18" | "resnet50" | "resnet101":
            yield from _resnet(network, channels, size, classes)
        case "densenet121":
            yield from _densenet121(channels, size, classes)
        case "mobilenet_v2":
            yield from _mobilenet_v2(channels, size, classes)
        case "shufflenet_v2_x1_0":
            yield from _shufflenet_v2(channels, size, classes)
        case "efficientnet_b0":
            yield from _efficientnet_b0(channels, size, classes)
        case _:
            assert_never(network.model)


# --- ResNet ---------------------------------------------------------------------------------------


def _resnet(network: TorchvisionSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    cifar = network.stem == "cifar"
    side = size if cifar else strided(size)
    yield conv(channels, 64, 3 if cifar else 7, side)
    yield norm(64, side)
    if not cifar:
        side = strided(side)
        yield max_pool(64, side)
    inputs, expansion = 64, 1 if network.model == "resnet18" else 4
    for width, blocks in zip((64, 128, 256, 512), RESNETS[network.model], strict=True):
        after = side if width == 64 else strided(side)
        for _ in range(blocks):
            block = basic_block if expansion == 1 else _bottleneck
            yield from block(inputs, width, side, after)
            inputs, side = width * expansion, after
    yield linear(512 * expansion, classes)


def basic_block(inputs: int, outputs: int, _side: int, after: int) -> Iterator[Layer]:
    """Yield two convolutions of 3x3, and that of the shortcut where the number of maps changes."""
    for first in (inputs, outputs):
        yield conv(first, outputs, 3, after)
        yield norm(outputs, after)
    if inputs != outputs:
        yield conv(inputs, outputs, 1, after)
        yield norm(outputs, after, relu=False)


def _bottleneck(inputs: int, width: int, side: int, after: int) -> Iterator[Layer]:
    yield conv(inputs, width, 1, side)
    yield norm(width, side)
    yield conv(width, width, 3, after)
    yield norm(width, after)
    yield conv(width, 4 * width, 1, after)
    yield norm(4 * width, after)
    if inputs != 4 * width:
        yield conv(inputs, 4 * width, 1, after)
        yield norm(4 * width, after, relu=False)


# --- DenseNet -------------------------------------------------------------------------------------

DENSENET_121 = (6, 12, 24, 16)
"""Layers of each dense block (Huang et al., CVPR 2017, table 1)."""


def _densenet121(channels: int, size: int, classes: int) -> Iterator[Layer]:
    side = strided(size)
    yield conv(channels, 64, 7, side)
    yield norm(64, side)
    side = strided(side)
    yield max_pool(64, side)
    yield from dense_blocks(64, side, classes)


def dense_blocks(width: int, side: int, classes: int, growth: int = 32) -> Iterator[Layer]:
    """Yield the four dense blocks of DenseNet-121, what joins them, and the classifier."""
    for index, layers in enumerate(DENSENET_121):
        for _ in range(layers):
            yield norm(width, side)
            yield conv(width, 4 * growth, 1, side)
            yield norm(4 * growth, side)
            yield conv(4 * growth, growth, 3, side)
            width += growth
        yield norm(width, side)
        if index < len(DENSENET_121) - 1:
            yield conv(width, width // 2, 1, side)
            width, side = width // 2, side // 2
            yield pool(width, side)
    yield linear(width, classes)


# --- networks for phones --------------------------------------------------------------------------

MOBILENET_V2 = (
    (1, 1, 16, 1),
    (6, 2, 24, 2),
    (6, 2, 32, 3),
    (6, 2, 64, 4),
    (6, 1, 96, 3),
    (6, 2, 160, 3),
    (6, 1, 320, 1),
)
"""Expansion, stride, channels, repeats of each stage (Sandler et al., CVPR 2018, table 2)."""


def _mobilenet_v2(channels: int, size: int, classes: int) -> Iterator[Layer]:
    side = strided(size)
    yield conv(channels, 32, 3, side)
    yield norm(32, side)
    inputs = 32
    for expansion, stride, outputs, repeats in MOBILENET_V2:
        for index in range(repeats):
            after = strided(side) if stride == 2 and index == 0 else side
            wide = inputs * expansion
            if expansion > 1:
                yield conv(inputs, wide, 1, side)
                yield norm(wide, side)
            yield depthwise(wide, 3, after)
            yield norm(wide, after)
            yield conv(wide, outputs, 1, after)
            yield norm(outputs, after, relu=False)
            inputs, side = outputs, after
    yield conv(320, 1280, 1, side)
    yield norm(1280, side)
    yield linear(1280, classes)


SHUFFLENET_V2 = ((116, 4), (232, 8), (464, 4))
"""Channels and repeats of each stage at width 1.0 (Ma et al., ECCV 2018, table 5)."""


def _shufflenet_v2(channels: int, size: int, classes: int) -> Iterator[Layer]:
    side = strided(size)
    yield conv(channels, 24, 3, side)
    yield norm(24, side)
    side = strided(side)
    yield max_pool(24, side)
    inputs = 24
    for outputs, repeats in SHUFFLENET_V2:
        yield from _shuffle_down(inputs, outputs // 2, side)
        side = strided(side)
        for _ in range(repeats - 1):
            yield from _shuffle_branch(outputs // 2, outputs // 2, side, side)
        inputs = outputs
    yield conv(464, 1024, 1, side)
    yield norm(1024, side)
    yield linear(1024, classes)


def _shuffle_down(inputs: int, half: int, side: int) -> Iterator[Layer]:
    yield depthwise(inputs, 3, strided(side))
    yield norm(inputs, strided(side), relu=False)
    yield conv(inputs, half, 1, strided(side))
    yield norm(half, strided(side))
    yield from _shuffle_branch(inputs, half, side, strided(side))


def _shuffle_branch(inputs: int, half: int, side: int, after: int) -> Iterator[Layer]:
    yield conv(inputs, half, 1, side)
    yield norm(half, side)
    yield depthwise(half, 3, after)
    yield norm(half, after, relu=False)
    yield conv(half, half, 1, after)
    yield norm(half, after)


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
    side = strided(size)
    yield conv(channels, 32, 3, side)
    yield norm_silu(32, side)
    inputs = 32
    for expansion, kernel, stride, outputs, repeats in EFFICIENTNET_B0:
        for index in range(repeats):
            after = strided(side) if stride == 2 and index == 0 else side
            yield from _inverted_block(inputs, inputs * expansion, outputs, kernel, side, after)
            inputs, side = outputs, after
    yield conv(320, 1280, 1, side)
    yield norm_silu(1280, side)
    yield linear(1280, classes)


def _inverted_block(
    inputs: int, wide: int, outputs: int, kernel: int, side: int, after: int
) -> Iterator[Layer]:
    """Yield expansion, depthwise convolution, squeeze and excitation, projection."""
    if wide != inputs:
        yield conv(inputs, wide, 1, side)
        yield norm_silu(wide, side)
    yield depthwise(wide, kernel, after)
    yield norm_silu(wide, after)
    squeezed = max(1, inputs // 4)
    yield conv(wide, squeezed, 1, 1, bias=True)
    yield conv(squeezed, wide, 1, 1, bias=True)
    yield pool(wide, after)  # the maps that squeeze and excitation has weighted
    yield conv(wide, outputs, 1, after)
    yield norm(outputs, after, relu=False)
