"""Optimisers of networks and their learning rates over time.

What was there first, SGD with steps, may be written without `kind`; its `kind` is left out of every
identity, so that keys made before there were others stay what they were.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from ddspec.spec.base import Count, Fraction, NonNegative, Positive, SpecModel

Betas: TypeAlias = tuple[
    Annotated[float, Field(strict=True, ge=0, lt=1)],
    Annotated[float, Field(strict=True, ge=0, lt=1)],
]
"""Decay of the first and of the second moment."""


class SgdSpec(SpecModel):
    """Stochastic gradient descent with momentum, as torch defines it (no dampening)."""

    kind: Annotated[Literal["sgd"], Field(exclude=True)] = "sgd"
    learning_rate: Positive = 0.01
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 5e-4


class AdamSpec(SpecModel):
    """Adam (Kingma and Ba, ICLR 2015), as torch defines it."""

    kind: Literal["adam"]
    learning_rate: Positive = 1e-3
    betas: Betas = (0.9, 0.999)
    weight_decay: NonNegative = 0.0
    """Added to the gradient."""


class AdamWSpec(SpecModel):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""

    kind: Literal["adamw"]
    learning_rate: Positive = 1e-3
    betas: Betas = (0.9, 0.999)
    weight_decay: NonNegative = 0.01
    """Times the learning rate, taken off the parameters."""
    decayed: Literal["all", "matrices"] = "all"
    """`matrices`: only tensors of 2 or more dimensions decay, no biases and no norms (SRe2L)."""


def default_kind(value: Any, kind: str) -> Any:
    """Return a section with its `kind` where that may be left out."""
    return {"kind": kind, **value} if isinstance(value, dict) and "kind" not in value else value


OptimizerSpec = Annotated[
    Annotated[SgdSpec | AdamSpec | AdamWSpec, Field(discriminator="kind")],
    BeforeValidator(lambda value: default_kind(value, "sgd")),
]


class StepDecaySpec(SpecModel):
    """Multiply the learning rate by `factor` at each of the fractions of training."""

    kind: Annotated[Literal["steps"], Field(exclude=True)] = "steps"
    factor: Positive = 0.2
    at: tuple[Fraction, ...] = (2 / 3, 5 / 6)


class WarmupSpec(SpecModel):
    """Raise the learning rate linearly before the schedule begins."""

    epochs: Count
    start: NonNegative = 0.0
    """Learning rate of the first epoch."""


class CosineDecaySpec(SpecModel):
    """Lower the learning rate to zero along half a cosine (Loshchilov and Hutter, ICLR 2017)."""

    kind: Literal["cosine"]
    every: Literal["step", "epoch"] = "step"
    """How often the rate changes."""
    warmup: WarmupSpec | None = None


DecaySpec = Annotated[
    Annotated[StepDecaySpec | CosineDecaySpec, Field(discriminator="kind")],
    BeforeValidator(lambda value: default_kind(value, "steps")),
]


def with_rate(optimizer: OptimizerSpec, learning_rate: float) -> OptimizerSpec:
    """Return an optimiser with another learning rate."""
    return optimizer.model_copy(update={"learning_rate": learning_rate})
