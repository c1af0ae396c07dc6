"""Layers as functions of named parameters: initial values, and the forward pass."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ddspec.spec.network import Activation, Norm, Pooling
from ddspec_runners.nets.base import Moments, Params

GROUPS = 4
"""Groups of the `group` norm."""
LEAK = 0.01
"""Slope of the leaky ReLU below zero."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Which statistics batch norm uses; the other norms ignore it."""

    running: Params | None
    training: bool
    """Whether to use those of the batch; `running`, where given, is then moved in place."""
    seen: dict[str, Moments] | None = None
    """Where given, each batch norm adds the moments of what enters it."""


BATCH = Statistics(running=None, training=True)
"""Statistics of the batch, leaving no trace."""


def uniform(shape: tuple[int, ...], bound: float, rng: Generator) -> Tensor:
    """Draw float32 values uniformly from [-bound, bound)."""
    return torch.empty(shape, dtype=torch.float32).uniform_(-bound, bound, generator=rng)


def he_normal(shape: tuple[int, ...], rng: Generator) -> Tensor:
    """Draw kernels (O, I, h, w) from a normal with variance 2 / fan-out, where fan-out is O h w.

    Source: He et al., "Delving Deep into Rectifiers", ICCV 2015, section 2.2 (backward form).
    """
    fan_out = shape[0] * math.prod(shape[2:])
    std = math.sqrt(2.0 / fan_out)
    return torch.empty(shape, dtype=torch.float32).normal_(0.0, std, generator=rng)


def affine(name: str, shape: tuple[int, ...], rng: Generator) -> dict[str, Tensor]:
    """Draw weight `shape` and bias of a convolution or linear layer, as torch does by default.

    Both are uniform within 1 / sqrt(fan-in): Kaiming's uniform law with a = sqrt(5) comes to that.
    """
    bound = 1.0 / math.sqrt(math.prod(shape[1:]))
    return {
        f"{name}.weight": uniform(shape, bound, rng),
        f"{name}.bias": uniform(shape[:1], bound, rng),
    }


def norm_parameters(norm: Norm, name: str, shape: tuple[int, int, int]) -> dict[str, Tensor]:
    """Return scale one and shift zero of a norm over maps of `shape` (C, H, W)."""
    if norm == "none":
        return {}
    extent = shape if norm == "layer" else shape[:1]
    return {f"{name}.weight": torch.ones(extent), f"{name}.bias": torch.zeros(extent)}


def norm_buffers(norm: Norm, name: str, channels: int) -> dict[str, Tensor]:
    """Return running mean zero and variance one, (C,) each, for batch norm; nothing otherwise."""
    if norm != "batch":
        return {}
    return {
        f"{name}.running_mean": torch.zeros(channels),
        f"{name}.running_var": torch.ones(channels),
    }


def conv(name: str, params: Params, x: Tensor, *, padding: int = 1, stride: int = 1) -> Tensor:
    """Convolve (N, I, H, W) with kernels (O, I, h, w), and bias if any."""
    weight, bias = params[f"{name}.weight"], params.get(f"{name}.bias")
    return F.conv2d(x, weight, bias, stride=stride, padding=padding)


def pool(kind: Pooling, x: Tensor) -> Tensor:
    """Halve the sides of maps (N, C, H, W), or do not; an odd last row or column is lost."""
    match kind:
        case "average":
            return F.avg_pool2d(x, 2)
        case "max":
            return F.max_pool2d(x, 2)
        case "none":
            return x


def activate(kind: Activation, x: Tensor) -> Tensor:
    """Apply an activation; `leaky_relu` has slope 0.01, `swish` is x times its sigmoid."""
    match kind:
        case "relu":
            return F.relu(x)
        case "sigmoid":
            return torch.sigmoid(x)
        case "leaky_relu":
            return F.leaky_relu(x, LEAK)
        case "swish":
            return F.silu(x)


def linear(name: str, params: Params, x: Tensor) -> Tensor:
    """Map features (N, D) to logits (N, K), or to further features."""
    return F.linear(x, params[f"{name}.weight"], params[f"{name}.bias"])


def normalise(norm: Norm, name: str, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
    """Normalise maps (N, C, H, W) with affine parameters, eps 1e-5.

    `instance` is per image and channel, `group` per image and quarter of the channels, `layer` per
    image (scale and shift for every element), `batch` per channel with momentum 0.1.
    """
    if norm == "none":
        return x
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    match norm:
        case "instance":
            return F.group_norm(x, x.shape[1], weight, bias)
        case "group":
            return F.group_norm(x, GROUPS, weight, bias)
        case "layer":
            return F.layer_norm(x, x.shape[1:], weight, bias)
        case "batch":
            if statistics.seen is not None:
                statistics.seen[name] = moments(x)
            running = statistics.running or {}
            mean, var = running.get(f"{name}.running_mean"), running.get(f"{name}.running_var")
            return F.batch_norm(x, mean, var, weight, bias, training=statistics.training)


def moments(x: Tensor) -> Moments:
    """Return mean and biased variance of each channel of maps (N, C, H, W)."""
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    return Moments(mean, var)
