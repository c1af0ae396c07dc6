"""How the synthetic images move, and how long distillation lasts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ddspec.spec.base import Count, Positive, SpecModel
from ddspec.spec.optimizer import Betas, DecaySpec, default_kind

Clamp = Literal["none", "outer_loop", "every_step"]
Decay = Annotated[float, Field(strict=True, gt=0, lt=1)]


class UpdateSpec(SpecModel):
    """How the images move: elementwise SGD with momentum."""

    kind: Annotated[Literal["sgd"], Field(exclude=True)] = "sgd"
    learning_rate: Positive
    scaling: Literal["none", "idc"] = "none"
    """`idc` multiplies by (images per class / 10) x (size / base size)^2, as IDC's code does."""
    momentum: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.5
    clock: Literal["shared", "per_class", "joint"] = "shared"
    """`shared`: one optimiser stepped after every class, so momentum moves the others too (IDC);
    `per_class`: each class has its own; `joint`: all images are stepped at once (DC, MTT)."""
    clamp: Clamp = "none"
    """`outer_loop` clamps to [0, 1] at the start of each outer loop (IDC), `every_step` after each
    update; other spaces are clamped to what [0, 1] becomes in them."""
    decay: DecaySpec | None = None
    """Of the learning rate, over all outer loops, which are its epochs; by default none."""
    averaging: Decay | None = None
    """The set is an exponential moving average of the images with this decay per outer loop (FTD);
    by default it is the last images."""


class AdamUpdateSpec(SpecModel):
    """How the images move: Adam (SRe2L)."""

    kind: Literal["adam"]
    learning_rate: Positive
    scaling: Literal["none", "idc"] = "none"
    betas: Betas = (0.9, 0.999)
    clock: Literal["per_class", "joint"] = "joint"
    clamp: Clamp = "none"
    decay: DecaySpec | None = None
    averaging: Decay | None = None


AnyUpdateSpec = Annotated[
    Annotated[UpdateSpec | AdamUpdateSpec, Field(discriminator="kind")],
    BeforeValidator(lambda value: default_kind(value, "sgd")),
]


MAX_LOOPS = 100_000
"""Outer loops that are still planned in seconds, for each has its row in the schedule."""


class LoopsSpec(SpecModel):
    """How long distillation lasts."""

    outer_loops: Annotated[int, Field(strict=True, ge=1, le=MAX_LOOPS)]
    inner_steps: Count
    snapshots: tuple[Count, ...] = ()
    """Outer loops, besides the last, at which the set is published; segments end there."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        late = [n for n in self.snapshots if n >= self.outer_loops]
        if late:
            raise ValueError(
                f"snapshots must lie before outer_loops, which is {self.outer_loops}: "
                f"{late[0]} does not; `snapshots: []` has none"
            )
        if list(self.snapshots) != sorted(set(self.snapshots)):
            raise ValueError("snapshots must increase")
        return self
