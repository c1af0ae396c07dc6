"""The stream of networks of distillation: picked, perturbed, trained on real images.

It is never handed the synthetic set, so it is the same for every shard and could run ahead. This
is the lockstep form: a network moves when the next one is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ddspec.spec.method import FrozenInnerSpec, InnerSpec, OnRealInnerSpec
from ddspec.wire.schedule import Schedule, ScheduleRow, Seed
from ddspec_runners.data.prepared import Queue
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.params import copied, zeros
from ddspec_runners.functional.sgd import plain_sgd, sgd_step_in_place
from ddspec_runners.nets.base import Params
from ddspec_runners.pools.perturb import perturb
from ddspec_runners.pools.training import RealTraining
from ddspec_runners.rng import generator


class Pool(Protocol):
    """Where networks come from."""

    def start(self, row: ScheduleRow) -> dict[str, Tensor]:
        """Return the parameters that an outer loop starts from, not perturbed yet."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkStream:
    """Networks of any outer loop, by a schedule over a pool."""

    pool: Pool
    schedule: Schedule
    inner: InnerSpec
    inner_steps: int
    training: RealTraining
    seed: Seed

    def window(self, outer: int) -> Iterator[Params]:
        """Yield the parameters that each inner step of an outer loop (from 0) matches on.

        The first are those of the pool, perturbed, their momentum at rest; each further
        one has taken `inner.steps` more SGD steps on real images. Yielded values never change.
        Batches walk through the split over all outer loops; the incomplete last one of an epoch is
        left out, which IDC's code keeps.
        """
        row = self.schedule.row(outer)
        start = perturb(self.pool.start(row), row)
        match self.inner:
            case FrozenInnerSpec():
                yield from [start] * self.inner_steps
            case OnRealInnerSpec() if self.inner.warmup is None:
                yield from self._trained(start, self.inner, outer)
            case _:
                raise BadJob(f"this version cannot move networks so: {self.inner!r}")

    def _trained(self, start: Params, spec: OnRealInnerSpec, outer: int) -> Iterator[Params]:
        yield start
        split = self.training.split
        queue = Queue((*self.seed, "network"), len(split), spec.batch)
        params, momentum, sgd = copied(start), zeros(start), plain_sgd(spec.optimizer)
        for inner in range(self.inner_steps - 1):
            for step in range(spec.steps):
                t = (outer * self.inner_steps + inner) * spec.steps + step
                rng = generator(*self.seed, "network-augment", outer, inner, step)
                slope = self.training.slope(params, queue.indices(t), rng)
                sgd_step_in_place(params, momentum, slope.gradient, sgd, sgd.learning_rate)
            yield copied(params)
