"""One inner step of distillation: every class's images move once, towards the real ones.

Networks and draws are arguments and state is returned, so a step is a pure function. Some classes
go through a network together, and their graph is freed before that of the next ones. On CPUs it is
one class at a time, which is the fastest form for wide networks and bit-equal between shards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ddspec_runners.augment.base import Policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.state import State
from ddspec_runners.functional.gradients import image_gradient
from ddspec_runners.functional.placement import placed
from ddspec_runners.functional.update import Motion, Rule
from ddspec_runners.matchers.base import Matcher
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.pools.start import Point


@dataclass(frozen=True, slots=True)
class ClassDraws:
    """All randomness of one class in one inner step."""

    real: Tensor
    """Indices of the real batch in the prepared split, int64 (b,)."""
    augment: Mapping[str, Tensor]
    """One row, shared by the real and the synthetic images."""
    views: Tensor | None
    """Which decoded images take part, int64; None is all of them."""


@dataclass(frozen=True, slots=True)
class Matching:
    """What stays the same over all steps of a distillation."""

    matcher: Matcher[Any]
    parameterization: Parameterization
    policy: Policy
    rule: Rule
    split: PreparedSplit
    classes: range
    """Global indices of the K' classes that are learned here."""
    of: int
    """Number of classes of the whole set, for the clock."""
    together: int = 1
    """Classes that go through a network in one pass, at most."""

    def step(
        self, state: State, point: Point, draws: Sequence[ClassDraws], number: int = 0
    ) -> tuple[State, Tensor]:
        """Return the state after one update of every class, and the losses before it, (K',).

        `number` is that of the step, from 0 over all outer loops: the rate may depend on it.
        """
        moved, losses = [], []
        for first in range(0, len(self.classes), self.together):
            own = range(first, min(first + self.together, len(self.classes)))
            ghosts = [self.rule.ghosts(self.classes[k], self.of) for k in own]
            motions = [
                self.rule.coast(self._motion(state, k), before, number)
                for k, (before, _) in zip(own, ghosts, strict=True)
            ]
            values, gradients = self.gradient(
                [motion.images for motion in motions],
                point,
                [self.classes[k] for k in own],
                [draws[k] for k in own],
            )
            losses.append(values)
            for motion, gradient, (_, after) in zip(motions, gradients, ghosts, strict=True):
                step = self.rule.step(motion, gradient, number)
                moved.append(self.rule.coast(step, after, number))
        memory = {
            name: torch.stack([motion.memory[name] for motion in moved]) for name in state.memory
        }
        images = torch.stack([motion.images for motion in moved])
        return State(images, memory, state.own), torch.cat(losses)

    def _motion(self, state: State, k: int) -> Motion:
        memory = {name: slot[k] for name, slot in state.memory.items()}
        return Motion(state.images[k], memory)

    def gradient(
        self,
        images: Sequence[Tensor],
        point: Point,
        labels: Sequence[int],
        draws: Sequence[ClassDraws],
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the matching losses of some classes, (k,), and the gradient of each in its images.

        `images` are (n, C, H, W) a class, in the learned space.
        """
        real = self._real(draws, images[0])
        target = self.matcher.target(point.params, real, labels, point.statistics, point.accuracy)

        def loss(learned: Sequence[Tensor]) -> Tensor:
            seen = [self._seen(own, drawn) for own, drawn in zip(learned, draws, strict=True)]
            return self.matcher.loss(seen, target)

        return image_gradient(loss, images)

    def _real(self, draws: Sequence[ClassDraws], like: Tensor) -> list[Tensor]:
        """Return the augmented real batch of each class, all read at once."""
        indices = torch.cat([drawn.real for drawn in draws])
        read = self.split.gather(indices, dtype=like.dtype, device=like.device)
        batches = torch.split(read, [len(drawn.real) for drawn in draws])
        return [
            self.policy.apply(batch, drawn.augment)
            for batch, drawn in zip(batches, draws, strict=True)
        ]

    def _seen(self, learned: Tensor, draws: ClassDraws) -> Tensor:
        """Return what a network sees of a class's images: decoded, chosen, augmented."""
        views = self.parameterization.decode(learned)
        if draws.views is not None:
            views = views.index_select(0, placed(draws.views, views.device))
        return self.policy.apply(self.parameterization.normalise(views), draws.augment)
