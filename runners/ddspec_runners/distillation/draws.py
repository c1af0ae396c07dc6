"""The draws of matching: real batches, shared augmentation, subsets of views.

Every draw is a function of the seed path and of its place (outer loop, inner step, class), on the
CPU: nothing depends on the number of loops, on shards, on threads or on the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec.wire.schedule import Seed
from ddspec_runners.augment.base import Policy
from ddspec_runners.data.prepared import PreparedSplit, Queue
from ddspec_runners.distillation.step import ClassDraws
from ddspec_runners.rng import generator


@dataclass(frozen=True, slots=True)
class MatchingDraws:
    """The law of all draws of matching; `inner` draws those of one step."""

    seed: Seed
    split: PreparedSplit
    policy: Policy
    classes: range
    """Global class indices."""
    inner_steps: int
    real_batch: int
    views: int
    """Decoded images of a class."""
    max_views: int

    def inner(self, outer: int, inner: int) -> tuple[ClassDraws, ...]:
        """Draw one inner step, both counted from 0; one entry a class."""
        return tuple(self._of_class(outer, inner, label) for label in self.classes)

    def _of_class(self, outer: int, inner: int, label: int) -> ClassDraws:
        rng = generator(*self.seed, "augment", outer, inner, label)
        return ClassDraws(
            real=self._real(label, outer * self.inner_steps + inner),
            augment=self.policy.draw(1, self.split.card.size, rng, shared=True),
            views=self._views(outer, inner, label),
        )

    def _real(self, label: int, t: int) -> Tensor:
        """Return the t-th batch of a class's queue, as indices of the whole split."""
        where = self.split.of_class(label)
        queue = Queue((*self.seed, "real", label), where.stop - where.start, self.real_batch)
        indices: Tensor = queue.indices(t) + where.start
        return indices

    def _views(self, outer: int, inner: int, label: int) -> Tensor | None:
        if self.views <= self.max_views:
            return None
        rng = generator(*self.seed, "views", outer, inner, label)
        return torch.randperm(self.views, generator=rng)[: self.max_views]
