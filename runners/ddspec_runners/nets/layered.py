"""What the networks written here as plain functions have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Generator, Tensor

from ddspec_runners.nets.base import Params
from ddspec_runners.nets.layers import BATCH, Statistics


class LayeredNetwork(ABC):
    """A `Network` made of one forward function and the statistics that it is given."""

    @abstractmethod
    def init(self, rng: Generator) -> dict[str, Tensor]:
        """Return fresh float32 parameters on the CPU, drawn from `rng` alone."""

    @abstractmethod
    def buffers(self) -> dict[str, Tensor]:
        """Return the initial running statistics; empty for networks without batch norm."""

    @abstractmethod
    def forward(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return logits (N, K); `statistics.running` may be moved in place, nothing else."""

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Return logits (N, K) by the statistics of the batch."""
        return self.forward(params, x, BATCH)

    def train_step(self, params: Params, buffers: Params, x: Tensor) -> tuple[Tensor, Params]:
        """Return logits as `apply` does, and the running statistics moved by this batch."""
        moved = {name: buffer.clone() for name, buffer in buffers.items()}
        return self.forward(params, x, Statistics(moved, training=True)), moved

    def predict(self, params: Params, buffers: Params, x: Tensor) -> Tensor:
        """Return logits (N, K) by running statistics where there are any."""
        return self.forward(params, x, Statistics(buffers, training=False))
