"""One inner step of distillation: every class's images move once, towards the real ones.

Networks and draws are arguments and state is returned, so a step is a pure function. The engine is
the class loop: one class at a time, its graph freed before the next, which on CPUs is the fastest
form for wide networks and bit-equal between shards.
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

    def step(
        self, state: State, point: Point, draws: Sequence[ClassDraws], number: int = 0
    ) -> tuple[State, Tensor]:
        """Return the state after one update of every class, and the losses before it, (K',).

        `number` is that of the step, from 0 over all outer loops: the rate may depend on it.
        """
        moved, losses = [], []
        for k, label in enumerate(self.classes):
            before, after = self.rule.ghosts(label, self.of)
            motion = self.rule.coast(self._motion(state, k), before, number)
            loss, gradient = self.gradient(motion.images, point, label, draws[k])
            motion = self.rule.step(motion, gradient, number)
            moved.append(self.rule.coast(motion, after, number))
            losses.append(loss)
        memory = {
            name: torch.stack([motion.memory[name] for motion in moved]) for name in state.memory
        }
        images = torch.stack([motion.images for motion in moved])
        return State(images, memory, state.own), torch.stack(losses)

    def _motion(self, state: State, k: int) -> Motion:
        memory = {name: slot[k] for name, slot in state.memory.items()}
        return Motion(state.images[k], memory)

    def gradient(
        self, images: Tensor, point: Point, label: int, draws: ClassDraws
    ) -> tuple[Tensor, Tensor]:
        """Return the matching loss of one class, a scalar, and its gradient, (n, C, H, W)."""
        real = self.split.gather(draws.real, dtype=images.dtype, device=images.device)
        augmented = self.policy.apply(real, draws.augment)
        target = self.matcher.target(point.params, [augmented], [label], point.statistics)

        def loss(learned: Tensor) -> Tensor:
            views = self.parameterization.decode(learned)
            if draws.views is not None:
                views = views.index_select(0, placed(draws.views, views.device))
            seen = self.policy.apply(self.parameterization.normalise(views), draws.augment)
            return self.matcher.loss([seen], target)

        values, gradient = image_gradient(loss, images)
        return values[0], gradient
