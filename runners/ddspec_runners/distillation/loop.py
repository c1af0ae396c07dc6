"""What every family of distillation offers to the task, and the averaging that may go around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Size, Tensor

from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.state import IMAGES, Published, State

AVERAGE = "average"
"""Under which the averaged images are carried on."""


class Loops(Protocol):
    """The outer loops of one distillation, made from its work and inputs."""

    @property
    def classes(self) -> range:
        """Global indices of the K' classes that are learned here."""
        ...

    @property
    def split(self) -> PreparedSplit:
        """The real images that are learned from."""
        ...

    def fresh(self, images: Tensor) -> State:
        """Return where distillation begins, with images (K', n, C, H, W) on their device."""
        ...

    def outer_loop(self, state: State, outer: int) -> tuple[State, Mapping[str, float]]:
        """Return the state after one outer loop (from 0), and what was measured in it.

        `loss` is always measured, before the last update of the loop; names are those of
        `metrics.jsonl`, the same in every loop. The state that was given is left as it was.
        Raises Diverged at the first number that is not finite.
        """
        ...

    def expected(self, outer: int) -> Mapping[str, Size]:
        """Return names and shapes of a state's tensors after so many outer loops."""
        ...

    def published(self, state: State) -> Published:
        """Return the set that a state stands for."""
        ...


@dataclass(frozen=True, slots=True)
class Averaged:
    """Loops whose set is an exponential moving average of the images (FTD).

    As in FTD's code the average begins with the images that distillation starts from, moves after
    every outer loop, and is read by nothing that is learned.
    """

    loops: Loops
    decay: float

    @property
    def classes(self) -> range:
        """Global indices of the classes that are learned here."""
        return self.loops.classes

    @property
    def split(self) -> PreparedSplit:
        """The real images that are learned from."""
        return self.loops.split

    def fresh(self, images: Tensor) -> State:
        """Return where distillation begins: the average is the images."""
        return self._with(self.loops.fresh(images), images.clone())

    def outer_loop(self, state: State, outer: int) -> tuple[State, Mapping[str, float]]:
        """Return the state after one outer loop: average = decay * average + (1 - decay) * images.

        Products and sum are elementwise, so shards have the bits of the whole.
        """
        own = {name: tensor for name, tensor in state.own.items() if name != AVERAGE}
        moved, metrics = self.loops.outer_loop(replace(state, own=own), outer)
        average = state.own[AVERAGE] * self.decay + moved.images * (1 - self.decay)
        return self._with(moved, average), metrics

    def expected(self, outer: int) -> Mapping[str, Size]:
        """Return names and shapes of a state's tensors after so many outer loops."""
        shapes = self.loops.expected(outer)
        return {**shapes, AVERAGE: shapes[IMAGES]}

    def published(self, state: State) -> Published:
        """Return the set of the averaged images."""
        return replace(self.loops.published(state), images=state.own[AVERAGE])

    def _with(self, state: State, average: Tensor) -> State:
        return replace(state, own={**state.own, AVERAGE: average})
