"""Evaluation: a named protocol, networks, repeats and baselines."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ddspec.spec.augmentation import AugmentationSpec, NoAugmentationSpec
from ddspec.spec.base import Count, Fraction, Name, Positive, SpecModel
from ddspec.spec.baselines import BaselinesSpec
from ddspec.spec.network import NetworkSpec
from ddspec.spec.optimizer import DecaySpec, OptimizerSpec, SgdSpec, StepDecaySpec

Reported: TypeAlias = Literal["last", "best_of_several", "best_on_test"]

REPORTED: Mapping[Reported, str] = MappingProxyType(
    {
        "best_of_several": "the best of several tests of each network",
        "best_on_test": "the best test value over iterations",
    }
)
"""In words what publications report under a protocol, where it is not what the last step gives."""


class TeachingSpec(SpecModel):
    """Learn from soft labels by Kullback-Leibler divergence (Hinton et al., 2015).

    Images without soft labels, as those of baselines beside learned labels, count with hard ones.
    """

    temperature: Positive
    """Labels and outputs are divided by it before they become probabilities."""
    squared: bool = True
    """Multiply the loss by the squared temperature; SRe2L does not on ImageNet, but on Tiny."""


class ProtocolSpec(SpecModel):
    """How a network is trained on a set before it is tested; accuracy is that of the last step.

    Exactly one of `epochs` and `steps` is given; `idc_by_size` is IDC's table of epochs by the
    number of decoded images a class, resolved when the plan is made.
    """

    name: Name
    epochs: Count | Literal["idc_by_size"] | None = None
    steps: Count | None = None
    batch: Count = 64
    optimizer: OptimizerSpec = Field(default_factory=SgdSpec)
    decay: DecaySpec | None = Field(default_factory=StepDecaySpec)
    """Null keeps the learning rate constant."""
    augmentation: AugmentationSpec = Field(default_factory=NoAugmentationSpec)
    """What training images go through."""
    cutmix: Fraction = 0.0
    mixup: Positive | None = None
    """Mix each batch by mixup, shares by Beta(a, a); by default not. Not beside `cutmix`."""
    accumulate: Count | None = None
    """A step sums the gradients of so many parts of its batch; batch norm sees a part at a time."""
    teaching: TeachingSpec | None = None
    """How soft labels are learned from; by default labels are hard, the loss is cross-entropy."""
    zca: Positive | None = None
    """Networks see whitened images, fitted on the training split with this eps; by default not."""
    learned_rate: bool | None = None
    """The rate is the one that was learned with the set (MTT); by default the optimiser's."""
    reported: Reported | None = None
    """What publications report under this protocol; here it is always the last step that counts."""


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
    best_on_validation: Count | None = None
    """How often, evenly spaced, a network is looked at on the validation split while it is trained;
    the one that was best there is tested besides the last. By default never."""
    snapshots: bool | None = None
    """Judge the set at each of `loops.snapshots` too: accuracy over loops. By default only the last
    set."""
