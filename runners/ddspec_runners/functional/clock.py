"""How images move: elementwise SGD with momentum, and the clock that says when.

The official code of IDC and Acc-DD holds all images in one SGD optimiser and steps it once per
class, so momentum also moves the images of the K - 1 other classes. Every operation here is a
single rounded product, sum or difference of elements, hence the same on any slice of the tensor:
a shard that replays the steps of the classes it does not hold ends bit-equal to the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from torch import Tensor

from ddspec.spec.method import AnyUpdateSpec, UpdateSpec
from ddspec_runners.faults import BadJob


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
    clock: Literal["shared", "per_class", "joint"]
    limit: Callable[[Tensor], Tensor] | None = None
    """What images are clamped by after every step; elementwise."""

    @classmethod
    def of(cls, spec: AnyUpdateSpec) -> Rule:
        """Return the rule of a spec, whose learning rate is the effective one.

        Raises BadJob for what is not SGD at a constant rate, ending with the last images.
        """
        if not isinstance(spec, UpdateSpec) or spec.decay is not None or spec.averaging is not None:
            raise BadJob("this version moves images by SGD at a constant rate, without averaging")
        return cls(spec.learning_rate, spec.momentum, spec.clock)

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

    def step(self, motion: Motion, gradient: Tensor) -> Motion:
        """Return v = momentum * v + g, x = x - rate * v."""
        return self._drift(motion.images, motion.velocity * self.momentum + gradient)

    def coast(self, motion: Motion, steps: int) -> Motion:
        """Return the motion after `steps` steps without a gradient."""
        for _ in range(steps):
            motion = self._drift(motion.images, motion.velocity * self.momentum)
        return motion

    def _drift(self, images: Tensor, velocity: Tensor) -> Motion:
        moved = images - velocity * self.learning_rate
        return Motion(moved if self.limit is None else self.limit(moved), velocity)
