"""Outer loops in which every class's images move by themselves, on a network that all share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

import torch
from torch import Size, Tensor

from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.draws import MatchingDraws
from ddspec_runners.distillation.state import IMAGES, Published, State
from ddspec_runners.distillation.step import Matching
from ddspec_runners.faults import Diverged
from ddspec_runners.pools.dependent import DependentNetworks
from ddspec_runners.pools.start import Point
from ddspec_runners.pools.stream import NetworkStream


@dataclass(frozen=True, slots=True)
class Distillation:
    """The parts of a distillation, made from its work and inputs."""

    matching: Matching
    draws: MatchingDraws
    stream: NetworkStream | DependentNetworks
    clamp: bool
    """Whether images are limited to [0, 1] at the start of each outer loop."""
    shape: Size
    """Of the images that are learned, (K', n, C, H, W)."""

    @property
    def classes(self) -> range:
        """Global indices of the classes that are learned here."""
        return self.matching.classes

    @property
    def split(self) -> PreparedSplit:
        """The real images that are learned from."""
        return self.matching.split

    def fresh(self, images: Tensor) -> State:
        """Return where distillation begins: images at rest."""
        return State(images, self.matching.rule.rest(images))

    def expected(self, outer: int) -> Mapping[str, Size]:
        """Return names and shapes of a state's tensors after so many outer loops."""
        return dict.fromkeys((IMAGES, *self.matching.rule.law.slots), self.shape)

    def published(self, state: State) -> Published:
        """Return the set that a state stands for: its images."""
        return Published(state.images)

    def outer_loop(self, state: State, outer: int) -> tuple[State, Mapping[str, float]]:
        """Return the state after one outer loop (from 0), and the mean matching loss.

        The device is asked for numbers once, at the end.
        """
        if self.clamp:
            limited = self.matching.parameterization.clamp(state.images)
            state = replace(state, images=limited)
        losses = []
        for moved, loss in self._steps(state, outer):
            state = moved
            losses.append(loss)
        table = torch.stack(losses).double().cpu()
        self._guard(table, state, outer)
        return state, {"loss": table.mean().item()}

    def _steps(self, state: State, outer: int) -> Iterator[tuple[State, Tensor]]:
        """Yield the state after each inner step, and the losses before it, (K',)."""
        match self.stream:
            case NetworkStream() as stream:
                for inner, point in enumerate(stream.window(outer)):
                    state, losses = self._step(state, point, outer, inner)
                    yield state, losses
            case DependentNetworks() as networks:
                walk = networks.starts.walk(outer)
                for inner in range(networks.inner_steps):
                    if inner:
                        networks.train(walk, state.images, outer, inner - 1)
                    point = networks.starts.point(walk, outer, inner)
                    state, losses = self._step(state, point, outer, inner)
                    yield state, losses
            case _:
                assert_never(self.stream)

    def _step(self, state: State, point: Point, outer: int, inner: int) -> tuple[State, Tensor]:
        number = outer * self.draws.inner_steps + inner
        return self.matching.step(state, point, self.draws.inner(outer, inner), number)

    def _guard(self, losses: Tensor, state: State, outer: int) -> None:
        """Raise Diverged at the first number that is not finite; `losses` is (steps, K')."""
        bad = losses.isfinite().logical_not().nonzero()
        if not len(bad):
            fine = state.images.isfinite()
            for slot in state.memory.values():
                fine = fine & slot.isfinite()
            ill = fine.flatten(1).all(1).logical_not().nonzero().cpu()
            bad = torch.tensor([[len(losses) - 1, int(k)] for k in ill.flatten()])
        if len(bad):
            step, k = bad[0].tolist()
            raise Diverged(
                f"the images or their loss are not finite in outer loop {outer}, inner step "
                f"{step}, class {self.matching.classes[k]} (all counted from 0): "
                "try a smaller `update.learning_rate`"
            )
