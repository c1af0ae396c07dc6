"""How networks move inside an outer loop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.base import Count, Fraction, Positive, SpecModel
from ddspec.spec.optimizer import OptimizerSpec, SgdSpec


class FrozenInnerSpec(SpecModel):
    """The network does not move during an outer loop."""

    kind: Literal["frozen"]


class WarmStartSpec(SpecModel):
    """Train the picked network on real images before the first inner step of each outer loop."""

    epochs: Count
    """Over the whole training split, with the batch and optimiser of the inner loop."""


class OnRealInnerSpec(SpecModel):
    """After each inner step the network takes SGD steps on real images of all classes (IDC)."""

    kind: Literal["on_real"]
    steps: Count
    """Mini-batches an inner step; IDC's `n_data` samples are ceil(n_data / batch) of them."""
    batch: Count = 64
    optimizer: OptimizerSpec = Field(default_factory=SgdSpec)
    warmup: WarmStartSpec | None = None
    """IDC on ImageNet-10 trains a fresh network for 10 epochs at the start of every loop."""


class OnSyntheticInnerSpec(SpecModel):
    """After each inner step but the last the network is trained on the synthetic set (DC, DSA).

    Images go through `augmentation.training`, drawn per image.
    """

    kind: Literal["on_synthetic"]
    epochs: Count
    """Passes over the synthetic set."""
    batch: Count = 256
    optimizer: OptimizerSpec = Field(
        default_factory=lambda: SgdSpec(learning_rate=0.01, momentum=0.0, weight_decay=0.0)
    )


class LearnedRateSpec(SpecModel):
    """The student's learning rate is learned along with the images, by SGD."""

    learning_rate: Positive
    momentum: Fraction = 0.5
    law: Literal["linear", "log"] = "log"
    """`log` moves the rate's logarithm, so the rate stays positive; `linear` the rate itself, which
    can make it negative: distillation then stops (MTT). The first step of `log` moves a rate r as
    `linear` does with r x r times the `learning_rate`: 1e-7 at 0.01 becomes 1e-3."""


class UnrolledInnerSpec(SpecModel):
    """A student takes plain gradient steps on the synthetic set; gradients go through them (MTT).

    Images go through `augmentation.training`, drawn per image and step.
    """

    kind: Literal["unrolled"]
    steps: Count
    """Steps of the student in one outer loop."""
    batch: Count | None = None
    """Synthetic images a step, in chunks of a permutation; by default the whole set."""
    learning_rate: Positive
    """Rate of the student's steps, or where it starts if it is learned."""
    learned: LearnedRateSpec | None = None
    """By default the rate stays as it is."""


InnerSpec = Annotated[
    FrozenInnerSpec | OnRealInnerSpec | OnSyntheticInnerSpec | UnrolledInnerSpec,
    Field(discriminator="kind"),
]
