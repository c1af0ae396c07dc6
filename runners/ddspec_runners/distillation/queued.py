"""Outer loops around which a queue of networks is kept, whatever matches on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from torch import Size, Tensor

from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.loop import Loops
from ddspec_runners.distillation.state import Published, State
from ddspec_runners.pools.online import PREFIX, OnlinePool, PickedFromQueue, Queue
from ddspec_runners.pools.start import Pool


@dataclass(frozen=True, slots=True)
class Queued:
    """As in IDM's code, in each outer loop the queue grows, one of it is picked, some are trained.

    Its tensors are part of the state, so a job goes on with the very networks that it left.
    """

    pool: OnlinePool
    make: Callable[[Pool], Loops]
    """What an outer loop does with the networks of a pool."""
    _still: Loops = field(init=False)

    def __post_init__(self) -> None:
        """Make the loops once for what depends on no network."""
        object.__setattr__(self, "_still", self.make(PickedFromQueue(self.pool, {})))

    @property
    def classes(self) -> range:
        """Global indices of the classes that are learned here."""
        return self._still.classes

    @property
    def split(self) -> PreparedSplit:
        """The real images that are learned from."""
        return self._still.split

    def fresh(self, images: Tensor) -> State:
        """Return where distillation begins: the queue holds its first networks."""
        return _with(self._still.fresh(images), self.pool.fresh())

    def outer_loop(self, state: State, outer: int) -> tuple[State, Mapping[str, float]]:
        """Return the state after one outer loop, the queue's training at its end included."""
        queue = self.pool.grown(_queue(state), outer)
        loops = self.make(PickedFromQueue(self.pool, queue))
        moved, metrics = loops.outer_loop(_without(state), outer)
        return _with(moved, self.pool.trained(queue, outer)), metrics

    def expected(self, outer: int) -> Mapping[str, Size]:
        """Return names and shapes of a state's tensors after so many outer loops."""
        return {**self._still.expected(outer), **self.pool.shapes(outer)}

    def published(self, state: State) -> Published:
        """Return the set that a state stands for."""
        return self._still.published(_without(state))


def _queue(state: State) -> Queue:
    return {name: tensor for name, tensor in state.own.items() if name.startswith(PREFIX)}


def _without(state: State) -> State:
    own = {name: tensor for name, tensor in state.own.items() if not name.startswith(PREFIX)}
    return replace(state, own=own)


def _with(state: State, queue: Queue) -> State:
    return replace(state, own={**state.own, **queue})
