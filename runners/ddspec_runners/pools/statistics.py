"""Statistics of batch norm from real images, as DC's code sets them before every match.

A class of one or ten synthetic images is too small a batch to tell mean and variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec.wire.schedule import Seed
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.rng import generator

PER_CLASS = 16
"""Real images of each class, or all where a class has fewer."""


@dataclass(frozen=True, slots=True)
class RealStatistics:
    """The law by which running statistics follow real images of all classes, in every shard."""

    network: Network
    split: PreparedSplit
    seed: Seed

    def moved(self, params: Params, buffers: Params, outer: int, inner: int) -> Params:
        """Return running statistics after one batch of 16 images a class, not augmented.

        The batch moves them as in training, by a tenth of the way (momentum 0.1). Images are drawn
        anew for each inner step, class by class, from (*seed, "statistics", outer, inner, class).
        """
        example = next(iter(params.values()))
        classes = range(len(self.split.classes))
        chosen = torch.cat([self._drawn(outer, inner, label) for label in classes])
        images = self.split.gather(chosen, dtype=example.dtype, device=example.device)
        with torch.no_grad():
            return self.network.train_step(params, buffers, images)[1]

    def _drawn(self, outer: int, inner: int, label: int) -> Tensor:
        where = self.split.of_class(label)
        rng = generator(*self.seed, "statistics", outer, inner, label)
        order = torch.randperm(where.stop - where.start, generator=rng)
        return order[:PER_CLASS] + int(where.start)
