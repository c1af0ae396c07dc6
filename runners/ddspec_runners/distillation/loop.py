"""The loops of distillation: what they are made of, and one outer loop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec_runners.distillation.draws import MatchingDraws
from ddspec_runners.distillation.step import Matching, State
from ddspec_runners.faults import Diverged
from ddspec_runners.pools.stream import NetworkStream


@dataclass(frozen=True, slots=True)
class Distillation:
    """The parts of a distillation, made from its work and inputs."""

    matching: Matching
    draws: MatchingDraws
    stream: NetworkStream
    clamp: bool
    """Whether images are limited to [0, 1] at the start of each outer loop."""

    def outer_loop(self, state: State, outer: int) -> tuple[State, float]:
        """Return the state after one outer loop (from 0), and the mean matching loss.

        The device is asked for numbers once, at the end.
        """
        if self.clamp:
            state = State(self.matching.parameterization.clamp(state.images), state.velocity)
        losses = []
        for inner, params in enumerate(self.stream.window(outer)):
            draws = self.draws.inner(outer, inner)
            state, loss = self.matching.step(state, params, draws)
            losses.append(loss)
        table = torch.stack(losses).double().cpu()
        self._guard(table, state, outer)
        return state, table.mean().item()

    def _guard(self, losses: Tensor, state: State, outer: int) -> None:
        """Raise Diverged at the first number that is not finite; `losses` is (steps, K')."""
        bad = losses.isfinite().logical_not().nonzero()
        if not len(bad):
            fine = state.images.isfinite() & state.velocity.isfinite()
            ill = fine.flatten(1).all(1).logical_not().nonzero().cpu()
            bad = torch.tensor([[len(losses) - 1, int(k)] for k in ill.flatten()])
        if len(bad):
            step, k = bad[0].tolist()
            raise Diverged(
                f"the images or their loss are not finite in outer loop {outer}, inner step "
                f"{step}, class {self.matching.classes[k]} (all counted from 0): "
                "try a smaller `update.learning_rate`"
            )
