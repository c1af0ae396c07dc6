"""Streams of networks that never see the synthetic set: picked, perturbed, trained on real images.

So a stream is the same for every shard, and could run ahead. This is the lockstep form: a network
moves when the next one is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from ddspec.spec.method import FrozenInnerSpec, OnRealInnerSpec
from ddspec.wire.schedule import Seed
from ddspec_runners.data.prepared import Queue
from ddspec_runners.pools.start import Point, Starts, Walk
from ddspec_runners.pools.training import RealTraining
from ddspec_runners.rng import generator


@dataclass(frozen=True, slots=True)
class NetworkStream:
    """Networks of any outer loop."""

    starts: Starts
    inner: FrozenInnerSpec | OnRealInnerSpec
    inner_steps: int
    training: RealTraining
    seed: Seed

    def window(self, outer: int) -> Iterator[Point]:
        """Yield the network that each inner step of an outer loop (from 0) matches on.

        The first is that of the pool, perturbed, then trained for the epochs of `inner.warmup`;
        each further one has taken `inner.steps` more steps on real images, by the same
        optimiser: its momentum begins at rest and outlives the warm-up, as in IDC's code. Yielded
        values never change. Batches walk through the split over all outer loops, those of a warm-up
        through its own epochs; the incomplete last one of an epoch is left out, which IDC's code
        keeps.
        """
        walk = self.starts.walk(outer)
        match self.inner:
            case FrozenInnerSpec():
                for inner in range(self.inner_steps):
                    yield self.starts.point(walk, outer, inner)
            case OnRealInnerSpec():
                self._warm_up(walk, self.inner, outer)
                for inner in range(self.inner_steps):
                    if inner:
                        self._train(walk, self.inner, outer, inner - 1)
                    yield self.starts.point(walk, outer, inner)
            case _:
                assert_never(self.inner)

    def _warm_up(self, walk: Walk, spec: OnRealInnerSpec, outer: int) -> None:
        if spec.warmup is None:
            return
        queue = Queue((*self.seed, "warmup", outer), len(self.training.split), spec.batch)
        for t in range(spec.warmup.epochs * queue.batches):
            rng = generator(*self.seed, "warmup-augment", outer, *divmod(t, queue.batches))
            slope = self.training.slope(walk.params, queue.indices(t), rng, walk.buffers)
            walk.step(slope, spec.optimizer)

    def _train(self, walk: Walk, spec: OnRealInnerSpec, outer: int, inner: int) -> None:
        """Take the SGD steps after an inner step."""
        queue = Queue((*self.seed, "network"), len(self.training.split), spec.batch)
        for step in range(spec.steps):
            t = (outer * self.inner_steps + inner) * spec.steps + step
            rng = generator(*self.seed, "network-augment", outer, inner, step)
            slope = self.training.slope(walk.params, queue.indices(t), rng, walk.buffers)
            walk.step(slope, spec.optimizer)
