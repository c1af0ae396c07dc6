"""Evaluation: a named protocol, networks, repeats and baselines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.augmentation import (
    AugmentationSpec,
    NoAugmentationSpec,
    SgdSpec,
    StepDecaySpec,
)
from ddspec.spec.base import Count, Fraction, Name, Natural, SpecModel
from ddspec.spec.network import NetworkSpec


class ProtocolSpec(SpecModel):
    """How a network is trained on a set before it is tested; accuracy is that of the last step.

    Exactly one of `epochs` and `steps` is given; `idc_by_size` is IDC's table of epochs by the
    number of decoded images a class, resolved when the plan is made.
    """

    name: Name
    epochs: Count | Literal["idc_by_size"] | None = None
    steps: Count | None = None
    batch: Count = 64
    optimizer: SgdSpec = Field(default_factory=SgdSpec)
    decay: StepDecaySpec = Field(default_factory=StepDecaySpec)
    augmentation: AugmentationSpec = Field(default_factory=NoAugmentationSpec)
    cutmix: Fraction = 0.0


class BaselinesSpec(SpecModel):
    """How many networks are trained on each set that the distilled one is compared with."""

    random: Natural = 10
    """Random real images of the same budget, redrawn for every repeat; 0 leaves it out."""
    init: Natural = 0
    """What the synthetic images were before learning."""
    full: Natural = 0
    """The whole training split."""


class EvaluateSpec(SpecModel):
    """How good the set is: freshly initialised networks, trained on it, tested on real images."""

    protocol: Name | ProtocolSpec
    """The name of a built-in protocol, or a protocol written out."""
    networks: Annotated[tuple[NetworkSpec, ...], Field(min_length=1)] | None = None
    """By default the network that the set was distilled with."""
    repeats: Count = 5
    baselines: BaselinesSpec = Field(default_factory=BaselinesSpec)
    on: Literal["test", "validation"] = "test"
    """Settings are chosen on `validation`; numbers are reported on `test`."""
