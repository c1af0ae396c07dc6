"""Where the network of an outer loop starts, and what a matcher sees of it on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from ddspec.spec.optimizer import OptimizerSpec
from ddspec.wire.schedule import Schedule, ScheduleRow
from ddspec_runners.functional.optim import Slots, slots, step_in_place
from ddspec_runners.functional.params import copied
from ddspec_runners.nets.base import Params
from ddspec_runners.pools.perturb import perturb
from ddspec_runners.pools.statistics import RealStatistics
from ddspec_runners.pools.training import Slope


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A network as a pool holds it, in the precision and on the device of the distillation."""

    params: dict[str, Tensor]
    buffers: dict[str, Tensor]
    """Running statistics; empty without batch norm."""
    accuracy: Tensor | None = None
    """Of its training so far, a scalar in [0, 1]; None where nobody has measured it."""


class Pool(Protocol):
    """Where networks come from."""

    def start(self, row: ScheduleRow) -> Snapshot:
        """Return the network that an outer loop starts from, not perturbed yet."""
        ...


@dataclass(frozen=True, slots=True)
class Point:
    """A network at one inner step; its tensors never change."""

    params: Params
    statistics: Params | None = None
    """Running statistics that batch norm is frozen at; None are those of each batch."""
    accuracy: Tensor | None = None
    """Of the network's training, a scalar in [0, 1]; None where nobody has measured it."""


@dataclass(slots=True)
class Walk:
    """A network on its way through one outer loop; its tensors are its own and move in place."""

    params: dict[str, Tensor]
    buffers: Params | None
    """Running statistics, where somebody asks for them."""
    memory: Slots = field(default_factory=dict)
    """Of the optimiser; it begins at rest."""
    steps: int = 0
    """How many the optimiser has taken."""
    accuracy: Tensor | None = None
    """Of its training before this outer loop."""

    def step(self, slope: Slope, optimizer: OptimizerSpec) -> None:
        """Take a step of the optimiser, and the statistics that its batch has moved."""
        self.memory = self.memory or slots(optimizer, self.params)
        rate = optimizer.learning_rate
        step_in_place(self.params, self.memory, slope.gradient, optimizer, rate, self.steps)
        self.steps += 1
        self.buffers = slope.buffers


@dataclass(frozen=True, slots=True)
class Starts:
    """The beginning of every outer loop, by a schedule over a pool."""

    pool: Pool
    schedule: Schedule
    frozen: RealStatistics | None = None
    """What batch norm is frozen at while matching; None are the statistics of each batch."""
    running: bool = False
    """Whether batch norm goes by the running statistics of the network's own training instead."""

    def walk(self, outer: int) -> Walk:
        """Return the network of an outer loop (from 0), perturbed."""
        row = self.schedule.row(outer)
        snapshot = self.pool.start(row)
        params = copied(perturb(snapshot.params, row))
        kept = self.running or self.frozen is not None
        buffers = snapshot.buffers if kept else None
        return Walk(params, buffers, accuracy=snapshot.accuracy)

    def point(self, walk: Walk, outer: int, inner: int) -> Point:
        """Return what an inner step (from 0) matches on.

        Where batch norm is frozen, its statistics are moved by real images first, and stay moved.
        """
        if self.frozen is not None and walk.buffers is not None:
            walk.buffers = self.frozen.moved(walk.params, walk.buffers, outer, inner)
        return Point(copied(walk.params), walk.buffers, walk.accuracy)
