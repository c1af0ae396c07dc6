"""Networks that are trained on the synthetic set while it is learned (DC, DSA).

They depend on the images of all classes, so they are no stream: whoever moves them hands over the
images as they are, and no shard of a set can.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec.spec.method import OnSyntheticInnerSpec
from ddspec.wire.schedule import Seed
from ddspec_runners.data.prepared import Queue
from ddspec_runners.functional.placement import placed
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.parameterization.make import decode_set
from ddspec_runners.pools.start import Starts, Walk
from ddspec_runners.pools.training import Training
from ddspec_runners.rng import generator


@dataclass(frozen=True, slots=True)
class DependentNetworks:
    """Networks of any outer loop, moved by the synthetic set."""

    starts: Starts
    spec: OnSyntheticInnerSpec
    inner_steps: int
    training: Training
    parameterization: Parameterization
    seed: Seed

    def train(self, walk: Walk, images: Tensor, outer: int, inner: int) -> None:
        """Train a network on the set as inner step `inner` (from 0) has left it.

        `images` are those of all K classes, (K, n, C, H, W), in the learned space; their decoded
        views are walked through `spec.epochs` times, an incomplete last batch included. The order
        of epoch e is drawn from (*seed, "network", outer, inner, e); augmentation, per image, and
        CutMix of its b-th batch from (*seed, "network-augment", outer, inner, e, b).
        """
        labels = torch.arange(len(images))[:, None].expand(-1, images.shape[1])
        views, targets = decode_set(self.parameterization, images.detach(), labels)
        seed = (*self.seed, "network", outer, inner)
        queue = Queue(seed, len(views), self.spec.batch, drop=False)
        for t in range(self.spec.epochs * queue.batches):
            rng = generator(*self.seed, "network-augment", outer, inner, *divmod(t, queue.batches))
            own = queue.indices(t)
            chosen = views.index_select(0, placed(own, views.device))
            slope = self.training.slope(walk.params, chosen, targets[own], rng, walk.buffers)
            walk.step(slope, self.spec.optimizer)
