"""Layers of networks, counted: what each holds, does and leaves behind, for one image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it holds, does and leaves behind, for one image."""

    parameters: int
    multiplications: int = 0
    floats: int = 0
    """Numbers that training keeps for the backward pass."""


def conv(inputs: int, outputs: int, kernel: int, side: int, *, bias: bool = False) -> Layer:
    """Return a square convolution that leaves maps of `side` x `side`."""
    weights = inputs * outputs * kernel * kernel
    return Layer(weights + bias * outputs, weights * side * side, outputs * side * side)


def depthwise(channels: int, kernel: int, side: int) -> Layer:
    """Return a convolution of each channel by itself."""
    weights = channels * kernel * kernel
    return Layer(weights, weights * side * side, channels * side * side)


def norm(channels: int, side: int, *, relu: bool = True) -> Layer:
    """Return an affine norm by channel, with the ReLU that follows it."""
    return Layer(2 * channels, 0, (1 + relu) * channels * side * side)


def linear(inputs: int, outputs: int) -> Layer:
    """Return a linear layer with a bias."""
    return Layer(inputs * outputs + outputs, inputs * outputs, inputs + outputs)


def pool(channels: int, side: int) -> Layer:
    """Return an average or maximum over windows, which leaves maps of `side` x `side`."""
    return Layer(0, 0, channels * side * side)


def strided(side: int) -> int:
    """Return the side after a convolution or pooling of stride 2 with half padding."""
    return -(-side // 2)
