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
    area: int = 0
    """Numbers that it puts out."""
    normed: int = 0
    """Of them, those of a norm, or of the ReLU where there is none."""
    norm: bool = False
    linear: bool = False


def conv(inputs: int, outputs: int, kernel: int, side: int, *, bias: bool = False) -> Layer:
    """Return a square convolution that leaves maps of `side` x `side`."""
    weights = inputs * outputs * kernel * kernel
    return Layer(weights + bias * outputs, weights * side * side, area=outputs * side * side)


def depthwise(channels: int, kernel: int, side: int) -> Layer:
    """Return a convolution of each channel by itself."""
    weights = channels * kernel * kernel
    return Layer(weights, weights * side * side, area=channels * side * side)


def norm(channels: int, side: int, *, relu: bool = True) -> Layer:
    """Return an affine norm by channel, which keeps its input, and the ReLU, which its output."""
    area = channels * side * side
    return Layer(2 * channels, 0, (1 + relu) * area, area, area, norm=True)


def norm_silu(channels: int, side: int) -> Layer:
    """Return an affine norm by channel and the SiLU after it, which keeps its input too."""
    area = channels * side * side
    return Layer(2 * channels, 0, 3 * area, area, area, norm=True)


def relu(channels: int, side: int) -> Layer:
    """Return a ReLU that follows no norm."""
    area = channels * side * side
    return Layer(0, 0, area, area, area)


def linear(inputs: int, outputs: int) -> Layer:
    """Return a linear layer with a bias."""
    weights = inputs * outputs
    return Layer(weights + outputs, weights, inputs, outputs, linear=True)


def pool(channels: int, side: int) -> Layer:
    """Return an average over windows, which leaves maps of `side` x `side`."""
    return Layer(0, 0, channels * side * side, channels * side * side)


def max_pool(channels: int, side: int) -> Layer:
    """Return a maximum over windows, which keeps the place of each in 64 bits."""
    return Layer(0, 0, 3 * channels * side * side, channels * side * side)


def strided(side: int) -> int:
    """Return the side after a convolution or pooling of stride 2 with half padding."""
    return -(-side // 2)
