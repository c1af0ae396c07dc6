"""The seam of networks: parameters in, logits out, nothing mutated.

Shape letters used throughout the runners: N images, C channels, H height, W width, K classes,
D features, E ensemble members.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeAlias

from torch import Generator, Tensor

Params: TypeAlias = Mapping[str, Tensor]
"""Parameter name to tensor, in the order of the forward pass."""


class Moments(NamedTuple):
    """What entered a batch norm, over all images and places of a batch."""

    mean: Tensor
    """(C,)"""
    var: Tensor
    """Biased, (C,)."""


class Observed(NamedTuple):
    """One forward pass, and what was seen on the way."""

    logits: Tensor
    """(N, K)"""
    features: Tensor
    """What enters the last linear layer, (N, D)."""
    norms: dict[str, Moments]
    """Of every batch norm by its name, in the order of the forward pass; `NAME.running_mean` and
    `NAME.running_var` are its running statistics."""


class Network(Protocol):
    """An architecture; its parameters live outside of it."""

    def init(self, rng: Generator) -> dict[str, Tensor]:
        """Return fresh float32 parameters on the CPU, drawn from `rng` alone."""
        ...

    def buffers(self) -> dict[str, Tensor]:
        """Return the initial running statistics; empty for networks without batch norm."""
        ...

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Return logits (N, K) for normalised images (N, C, H, W).

        Batch norm, where there is any, uses the statistics of the batch. Differentiable twice in
        `params` and `x`.
        """
        ...

    def train_step(
        self, params: Params, buffers: Params, x: Tensor, rng: Generator | None = None
    ) -> tuple[Tensor, Params]:
        """Return logits as `apply` does, and the running statistics moved by this batch.

        Masks of dropout and stochastic depth, where a spec asks for them, are drawn from `rng`,
        which those networks need; nothing else of a network is random in a step.
        """
        ...

    def predict(self, params: Params, buffers: Params, x: Tensor) -> Tensor:
        """Return logits (N, K) in evaluation mode, by running statistics where there are any.

        Differentiable twice in `params` and `x`, like `apply`.
        """
        ...

    def features(self, params: Params, buffers: Params | None, x: Tensor) -> Tensor:
        """Return what enters the last linear layer, (N, D).

        Batch norm uses running statistics, or without `buffers` those of the batch. Differentiable
        twice in `params` and `x`.
        """
        ...

    def observe(self, params: Params, buffers: Params | None, x: Tensor) -> Observed:
        """Return logits, features and the moments of what enters each batch norm, in one pass.

        Batch norm uses running statistics, or without `buffers` those of the batch. Differentiable
        twice in `params` and `x`.
        """
        ...
