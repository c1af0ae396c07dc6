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
from ddspec_runners.functional.clock import Motion, Rule
from ddspec_runners.functional.gradients import image_gradient
from ddspec_runners.functional.placement import placed
from ddspec_runners.matchers.base import Matcher
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.pools.start import Point


@dataclass(frozen=True, slots=True)
class State:
    """What distillation carries from step to step, both (K', n, C, H, W) in the learned space."""

    images: Tensor
    velocity: Tensor


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

    def step(self, state: State, point: Point, draws: Sequence[ClassDraws]) -> tuple[State, Tensor]:
        """Return the state after one update of every class, and the losses before it, (K',)."""
        moved, losses = [], []
        for k, label in enumerate(self.classes):
            before, after = self.rule.ghosts(label, self.of)
            motion = self.rule.coast(Motion(state.images[k], state.velocity[k]), before)
            loss, gradient = self.gradient(motion.images, point, label, draws[k])
            moved.append(self.rule.coast(self.rule.step(motion, gradient), after))
            losses.append(loss)
        images = torch.stack([motion.images for motion in moved])
        velocity = torch.stack([motion.velocity for motion in moved])
        return State(images, velocity), torch.stack(losses)

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
