"""How images move: elementwise SGD or Adam, and the clock that says when.

The official code of IDC and Acc-DD holds all images in one SGD optimiser and steps it once per
class, so momentum also moves the images of the K - 1 other classes. Every operation here is a
single rounded product, quotient, root, sum or difference of elements, hence the same on any slice
of the tensor: a shard that replays the steps of the classes it does not hold ends bit-equal to the
whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

import torch
from torch import Tensor

from ddspec.spec.method import AdamUpdateSpec, AnyUpdateSpec, UpdateSpec
from ddspec_runners.functional.course import Course
from ddspec_runners.functional.optim import EPSILON


@dataclass(frozen=True, slots=True)
class Motion:
    """Images that move together, of any shape, and what their optimiser remembers."""

    images: Tensor
    memory: Mapping[str, Tensor]
    """By slot, each in the shape of the images."""


@dataclass(frozen=True, slots=True)
class Momentum:
    """SGD with momentum, without dampening: v = momentum * v + g, x = x - rate * v."""

    momentum: float
    slots: tuple[str, ...] = ("velocity",)


@dataclass(frozen=True, slots=True)
class Moments:
    """Adam (Kingma and Ba, ICLR 2015), as torch.optim.Adam defines it, without weight decay."""

    betas: tuple[float, float]
    slots: tuple[str, ...] = ("first", "second")


@dataclass(frozen=True, slots=True)
class Rule:
    """The law of motion; steps are counted from 0, over the whole distillation."""

    law: Momentum | Moments
    course: Course
    clock: Literal["shared", "per_class", "joint"]
    limit: Callable[[Tensor], Tensor] | None = None
    """What images are clamped by after every step; elementwise."""

    @classmethod
    def of(
        cls,
        spec: AnyUpdateSpec,
        *,
        steps: int = 1,
        of_loop: int = 1,
        limit: Callable[[Tensor], Tensor] | None = None,
    ) -> Rule:
        """Return the rule of a spec, whose learning rate is the effective one.

        `steps` are those of the whole distillation, which a decay needs; `of_loop` those of one
        outer loop, the epoch of a decay.
        """
        course = Course(spec.learning_rate, spec.decay, steps, of_loop)
        match spec:
            case UpdateSpec():
                return cls(Momentum(spec.momentum), course, spec.clock, limit)
            case AdamUpdateSpec():
                return cls(Moments(spec.betas), course, spec.clock, limit)
            case _:
                assert_never(spec)

    def rest(self, images: Tensor) -> dict[str, Tensor]:
        """Return what the optimiser remembers before its first step."""
        return {name: torch.zeros_like(images) for name in self.law.slots}

    def ghosts(self, position: int, classes: int) -> tuple[int, int]:
        """Return how many momentum-only steps come before and after the step of a class.

        `position` is the class among all `classes`, in the order of the whole set.
        """
        match self.clock:
            case "shared":
                return position, classes - 1 - position
            case "per_class" | "joint":
                # where a class's gradient is its own, one step of all is one of each
                return 0, 0
            case _:
                assert_never(self.clock)

    def step(self, motion: Motion, gradient: Tensor, number: int = 0) -> Motion:
        """Return the motion after the step of this number; nothing is mutated."""
        rate = self.course.at(number)
        match self.law:
            case Momentum() as law:
                velocity = motion.memory["velocity"] * law.momentum + gradient
                return self._drift(motion, velocity, rate)
            case Moments() as law:
                return self._adam(law, motion, gradient, rate, number)
            case _:
                assert_never(self.law)

    def coast(self, motion: Motion, steps: int, number: int = 0) -> Motion:
        """Return the motion after `steps` steps without a gradient, at the rate of this number."""
        if not steps:
            return motion
        if isinstance(self.law, Moments):
            raise ValueError("Adam has no shared clock")
        rate = self.course.at(number)
        for _ in range(steps):
            motion = self._drift(motion, motion.memory["velocity"] * self.law.momentum, rate)
        return motion

    def _drift(self, motion: Motion, velocity: Tensor, rate: float) -> Motion:
        return Motion(self._within(motion.images - velocity * rate), {"velocity": velocity})

    def _adam(
        self, law: Moments, motion: Motion, gradient: Tensor, rate: float, number: int
    ) -> Motion:
        """Take a step of Adam; bias is corrected as after `number` + 1 of them.

        Fused operations (`lerp`, `addcdiv`) are avoided: they may round a slice of a tensor
        otherwise than the whole.
        """
        one, two = law.betas
        first = motion.memory["first"] * one + gradient * (1 - one)
        second = motion.memory["second"] * two + gradient * gradient * (1 - two)
        root = second.sqrt() / (1 - two ** (number + 1)) ** 0.5 + EPSILON
        moved = motion.images - first / root * (rate / (1 - one ** (number + 1)))
        return Motion(self._within(moved), {"first": first, "second": second})

    def _within(self, images: Tensor) -> Tensor:
        return images if self.limit is None else self.limit(images)
