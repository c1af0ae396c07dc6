"""What the networks written here as plain functions have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Generator, Tensor

from ddspec_runners.nets.base import Observed, Params
from ddspec_runners.nets.layers import BATCH, Statistics, linear


class LayeredNetwork(ABC):
    """A `Network` made of one embedding, by the statistics that it is given, and a linear layer.

    Of its parameters the linear layer's are the last two, `classifier.weight` and `.bias`. No
    function depends on values of parameters but through tensors, so that `torch.func.vmap` over
    stacked parameters and statistics (E, ...) computes an ensemble in one go.
    """

    @abstractmethod
    def init(self, rng: Generator) -> dict[str, Tensor]:
        """Return fresh float32 parameters on the CPU, drawn from `rng` alone."""

    @abstractmethod
    def buffers(self) -> dict[str, Tensor]:
        """Return the initial running statistics; empty for networks without batch norm."""

    @abstractmethod
    def embed(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return features (N, D); of `statistics` alone `running` and `seen` may change."""

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Return logits (N, K) by the statistics of the batch."""
        return self._logits(params, x, BATCH)

    def train_step(
        self, params: Params, buffers: Params, x: Tensor, rng: Generator | None = None
    ) -> tuple[Tensor, Params]:
        """Return logits as `apply` does, and the running statistics moved by this batch.

        Nothing is drawn from `rng`: these networks have no noise.
        """
        moved = {name: buffer.clone() for name, buffer in buffers.items()}
        return self._logits(params, x, Statistics(moved, training=True)), moved

    def predict(self, params: Params, buffers: Params, x: Tensor) -> Tensor:
        """Return logits (N, K) by running statistics where there are any."""
        return self._logits(params, x, Statistics(buffers, training=False))

    def features(self, params: Params, buffers: Params | None, x: Tensor) -> Tensor:
        """Return what enters the classifier, (N, D), by `buffers` or those of the batch."""
        return self.embed(params, x, Statistics(buffers, training=buffers is None))

    def observe(self, params: Params, buffers: Params | None, x: Tensor) -> Observed:
        """Return logits, features and the moments of what enters each batch norm, in one pass."""
        statistics = Statistics(buffers, training=buffers is None, seen={})
        features = self.embed(params, x, statistics)
        return Observed(linear("classifier", params, features), features, statistics.seen or {})

    def _logits(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        return linear("classifier", params, self.embed(params, x, statistics))
