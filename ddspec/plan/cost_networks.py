"""Parameters, operations and memory of a network, counted without building it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import sqrt
from typing import Literal, TypeAlias, assert_never

from ddspec.plan.cost_classic import classic_layers, pooling_block
from ddspec.plan.cost_layers import Layer, conv, linear, max_pool, norm, pool
from ddspec.plan.cost_torchvision import torchvision_layers
from ddspec.spec.network import (
    Activation,
    ClassicSpec,
    ConvNetSpec,
    NetworkSpec,
    Norm,
    ResNetApSpec,
    TorchvisionSpec,
    norm_of,
    padded_side,
)

Compared: TypeAlias = Literal["kernels", "matrices", "all"]
Order: TypeAlias = Literal[0, 1, 2]
"""Forward, training step, gradient of a gradient."""


SECOND_ORDER: Mapping[Norm, tuple[float, float]] = {
    "none": (3.0, 1.25),
    "instance": (5.0, 2.0),
    "group": (5.0, 2.0),
    "layer": (5.0, 8.0),
    "batch": (5.0, 8.0),
}
"""What a gradient of a gradient holds at its peak: numbers for each that a norm takes, all over
the network, and once more at its largest map. Read off torch's formulas by counting."""

ACTIVATED: Mapping[Activation, tuple[float, float]] = {
    "relu": (0.0, 0.0),
    "leaky_relu": (1.0, 0.0),
    "sigmoid": (1.0, 2.0),
    "swish": (6.0, 0.0),
}
"""What an activation adds to these; read off in the same way."""
MAXIMA = 0.5
"""What max pooling adds to the first of them."""

STEP_KEPT: Mapping[Norm, float] = {
    "none": 2.4,
    "instance": 4.5,
    "group": 4.5,
    "layer": 4.5,
    "batch": 4.5,
}
"""Numbers for each that a norm takes which stay after a step that one differentiates through."""

PASSED: Mapping[Norm, tuple[float, float, float]] = {
    "none": (4.5, 12.0, 39.0),
    "instance": (6.5, 21.0, 105.0),
    "group": (6.5, 21.0, 105.0),
    "layer": (6.5, 21.0, 160.0),
    "batch": (6.5, 21.0, 160.0),
}
"""What eager kernels read and write for each number that a norm takes: forward, in a training
step, and in a gradient of a gradient distance."""

STARTED: Mapping[Norm, tuple[int, int, int]] = {
    "none": (4, 8, 35),
    "instance": (5, 10, 105),
    "group": (5, 10, 105),
    "layer": (5, 10, 100),
    "batch": (5, 12, 120),
}
"""Kernels of a layer with its norm, ReLU and pooling, for the same three."""

RESIDUAL = 3.5
"""Largest maps that a forward pass of blocks with shortcuts holds at once."""
CHAIN, RUNNING_CHAIN = 2.25, 2.0
"""The same of a chain; under batch norm that goes by running statistics a little less."""


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """Sums over a network; operations and numbers are those of one image.

    Operations are twice the multiplications of convolutions and linear layers. What is neglected
    (norms, ReLUs, pooling, the distance of gradients, the update) is pointwise: some ten operations
    for each of `normed`, against twice 9 x channels for the convolution before it.
    """

    parameters: int
    flops: int
    """Forward."""
    stem_flops: int
    """Part of the first layer, whose input needs no gradient in ordinary training."""
    head_flops: int
    """Part of the last layer, the classifier."""
    linear_flops: int
    """Part of all linear layers but the first layer; the classifier is one of them."""
    kept: int
    """Numbers that training holds at its peak."""
    forward: int
    """Numbers that a forward pass alone holds at its peak."""
    normed: int
    """Numbers that norms take; where there are none, ReLUs."""
    widest: int
    """The most that one of them takes."""
    layers: int
    """How many of them there are."""
    norm: Norm
    activation: Activation = "relu"
    maxima: bool = False
    """Whether it pools by maxima."""
    statistics: int = 0
    """Running means and variances that it keeps besides its parameters."""

    def cut(self, multiplications: float | None, parameters: int | None) -> NetworkCost:
        """Return what is nearly left when every layer loses the same share of its channels.

        Until both targets are met; layers between two others shrink with the square of the width,
        maps with the width itself.
        """
        most = 1.0 if multiplications is None else 2 * multiplications / self.flops
        share = min(1.0, most, 1.0 if parameters is None else parameters / self.parameters)
        width = sqrt(share)
        return replace(
            self,
            parameters=round(share * self.parameters),
            flops=round(share * self.flops),
            stem_flops=round(width * self.stem_flops),
            head_flops=round(width * self.head_flops),
            linear_flops=round(width * self.linear_flops),
            kept=round(width * self.kept),
            forward=round(width * self.forward),
            normed=round(width * self.normed),
            widest=round(width * self.widest),
            statistics=round(width * self.statistics),
        )

    @property
    def training_flops(self) -> int:
        """Forward and backward of one image: 3 x forward, without the stem's input gradient."""
        return 3 * self.flops - self.stem_flops

    @property
    def image_flops(self) -> int:
        """Forward, and the gradient in the image with the parameters fixed: 2 x forward."""
        return 2 * self.flops

    def target_flops(self, compared: Compared) -> int:
        """Return the gradient in the compared parameters of one real image."""
        return self.training_flops - (self.linear_flops if compared == "kernels" else 0)

    def matching_flops(self, compared: Compared) -> int:
        """Return the gradient of a gradient distance in one synthetic image: 8 x forward.

        A convolution is applied once, the first backward applies it twice (input, weights), and
        differentiating those three takes five more. The stem lacks its input gradient and the two
        that follow from it; of linear layers torch leaves out one, and three more where they are
        not compared.
        """
        less = 4 if compared == "kernels" else 1
        return 8 * self.flops - 3 * self.stem_flops - less * self.linear_flops

    @property
    def second_order(self) -> int:
        """Numbers that a gradient of a gradient distance holds at its peak."""
        all_over, largest = SECOND_ORDER[self.norm]
        more_all_over, more_at_largest = ACTIVATED[self.activation]
        all_over += more_all_over + MAXIMA * self.maxima
        return round(all_over * self.normed + (largest + more_at_largest) * self.widest)

    @property
    def step_kept(self) -> int:
        """Numbers that a student's step leaves behind, so that one may differentiate through it."""
        return round(STEP_KEPT[self.norm] * self.normed)

    def passed(self, order: Order) -> int:
        """Return the numbers that kernels read and write for one image."""
        return round(PASSED[self.norm][order] * self.normed)

    def started(self, order: Order) -> int:
        """Return the kernels that one batch starts."""
        return STARTED[self.norm][order] * self.layers + 10


@cache
def network_cost(network: NetworkSpec, *, channels: int, size: int, classes: int) -> NetworkCost:
    """Count a network for images of `channels` x `size` x `size` and `classes` outputs."""
    layers = tuple(_layers(network, channels, size, classes))
    widest = max(layer.normed for layer in layers)
    chain = isinstance(network, ConvNetSpec) or norm_of(network) == "none"
    return NetworkCost(
        parameters=sum(layer.parameters for layer in layers),
        flops=2 * sum(layer.multiplications for layer in layers),
        stem_flops=2 * layers[0].multiplications,
        head_flops=2 * layers[-1].multiplications,
        linear_flops=2 * sum(each.multiplications for each in layers[1:] if each.linear),
        kept=_kept(layers),
        forward=round((_held(network) if chain else RESIDUAL) * widest),
        normed=sum(layer.normed for layer in layers),
        widest=widest,
        layers=sum(layer.normed > 0 for layer in layers),
        norm=norm_of(network),
        activation=_activation(network),
        maxima=_has_maxima(network),
        statistics=sum(layer.parameters for layer in layers if layer.norm)
        if norm_of(network) == "batch"
        else 0,
    )


def least_cut(network: NetworkSpec, *, channels: int, size: int, classes: int) -> tuple[int, int]:
    """Return multiplications and parameters that are left at least, however far it is cut.

    One channel of every layer stays: of a ConvNet that is the one of width 1, of others each layer
    keeps a weight, which is used once in every place.
    """
    if isinstance(network, ConvNetSpec):
        network = network.model_copy(update={"width": 1})
        layers = list(_layers(network, channels, size, classes))
        return sum(one.multiplications for one in layers), sum(one.parameters for one in layers)
    layers = [one for one in _layers(network, channels, size, classes) if one.parameters]
    return sum(one.multiplications // one.parameters for one in layers), len(layers)


def _held(network: NetworkSpec) -> float:
    return RUNNING_CHAIN if norm_of(network) == "batch" else CHAIN


def _has_maxima(network: NetworkSpec) -> bool:
    match network:
        case ConvNetSpec():
            return network.pooling == "max"
        case ClassicSpec():
            return network.model in ("lenet", "alexnet", "vgg11")
        case ResNetApSpec() | TorchvisionSpec():
            return False


def _activation(network: NetworkSpec) -> Activation:
    match network:
        case ConvNetSpec():
            return network.activation or "relu"
        case TorchvisionSpec(model="efficientnet_b0"):
            return "swish"
        case _:
            return "relu"


def _kept(layers: Sequence[Layer]) -> int:
    """Return the numbers that a training step holds at its peak.

    What the layers up to one have kept, while the gradients of its output and input are there;
    what later layers have kept is free by then.
    """
    peak = held = 0
    for layer in layers:
        held += layer.floats
        peak = max(peak, held + 2 * layer.area)
    return peak


def convnet_sides(network: ConvNetSpec, *, channels: int, size: int) -> tuple[int, ...]:
    """Return the side of the map that each block convolves, and last the one that is left."""
    sides = [padded_side(channels, size)]
    for _ in range(network.depth):
        sides.append(sides[-1] if network.pooling == "none" else sides[-1] // 2)
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
        if network.pooling == "max":
            yield max_pool(width, pooled)
        elif network.pooling != "none":
            yield pool(width, pooled)
        inputs = width
    yield linear(width * sides[-1] ** 2, classes)


def _convnet_norm(network: ConvNetSpec, side: int) -> Layer:
    """Return norm and activation; leaky ReLU and swish keep their input, as others their output."""
    area = network.width * side * side
    normed = network.norm != "none"
    both = network.activation in ("leaky_relu", "swish")
    parameters = {"none": 0, "layer": 2 * area}.get(network.norm, 2 * network.width)
    # an output that nobody keeps is gone before the gradient in the input is there
    out = area // 2 if both else area
    return Layer(parameters, 0, (1 + normed + both) * area, out, area, norm=normed)


# --- ResNetAP-10 (IDC) ----------------------------------------------------------------------------

STEMS = {"large": (7, 4), "mid": (3, 2), "small": (3, 1)}
"""Kernel of the first convolution and factor of the pooling after it."""


def _resnet_ap(network: ResNetApSpec, channels: int, size: int, classes: int) -> Iterator[Layer]:
    kernel, pooling = STEMS[network.stem]
    inputs = width = network.width or 64
    yield conv(channels, width, kernel, size)
    yield norm(width, size)
    side = size // pooling
    yield pool(width, side)
    for outputs in (width, 2 * width, 4 * width, 8 * width):
        pooled = side if outputs == width else side // 2
        yield from pooling_block(inputs, outputs, side, pooled)
        inputs, side = outputs, pooled
    yield linear(8 * width, classes)
