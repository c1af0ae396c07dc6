"""How images move: elementwise SGD with momentum, and the clock that says when.

The official code of IDC and Acc-DD holds all images in one SGD optimiser and steps it once per
class, so momentum also moves the images of the K - 1 other classes. Every operation here is a
single rounded product, sum or difference of elements, hence the same on any slice of the tensor:
a shard that replays the steps of the classes it does not hold ends bit-equal to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

from torch import Tensor

from ddspec.spec.method import UpdateSpec


@dataclass(frozen=True, slots=True)
class Motion:
    """The images of one class, (n, C, H, W), and how fast each pixel moves."""

    images: Tensor
    velocity: Tensor


@dataclass(frozen=True, slots=True)
class Rule:
    """SGD with momentum, without dampening."""

    learning_rate: float
    momentum: float
    clock: Literal["shared", "per_class"]

    @classmethod
    def of(cls, spec: UpdateSpec) -> Rule:
        """Return the rule of a spec, whose learning rate is the effective one."""
        return cls(spec.learning_rate, spec.momentum, spec.clock)

    def ghosts(self, position: int, classes: int) -> tuple[int, int]:
        """Return how many momentum-only steps come before and after the step of a class.

        `position` is the class among all `classes`, in the order of the whole set.
        """
        match self.clock:
            case "shared":
                return position, classes - 1 - position
            case "per_class":
                return 0, 0
            case _:
                assert_never(self.clock)

    def step(self, motion: Motion, gradient: Tensor) -> Motion:
        """Return v = momentum * v + g, x = x - rate * v."""
        return self._drift(motion.images, motion.velocity * self.momentum + gradient)

    def coast(self, motion: Motion, steps: int) -> Motion:
        """Return the motion after `steps` steps without a gradient."""
        for _ in range(steps):
            motion = self._drift(motion.images, motion.velocity * self.momentum)
        return motion

    def _drift(self, images: Tensor, velocity: Tensor) -> Motion:
        return Motion(images - velocity * self.learning_rate, velocity)
