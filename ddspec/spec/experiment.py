"""The root of a spec."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddspec.spec.augmentation import AugmentationSection
from ddspec.spec.base import Count, Fraction, Name, SpecModel, Text
from ddspec.spec.dataset import DatasetSpec
from ddspec.spec.evaluate import EvaluateSpec
from ddspec.spec.imported import ImportedSpec
from ddspec.spec.method import (
    AnyUpdateSpec,
    InitSpec,
    InnerSpec,
    LabelsSpec,
    LoopsSpec,
    MatcherSpec,
    NoPerturbationSpec,
    ParameterizationSpec,
    PerturbationSpec,
    PixelsSpec,
    PoolSpec,
)
from ddspec.spec.network import NetworkSpec


class BudgetSpec(SpecModel):
    """How much is distilled."""

    images_per_class: Count


class ResourcesSpec(SpecModel):
    """How the work is laid out; nothing here changes what is computed in exact arithmetic."""

    shards: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    """Exact class shards of distillation, merged afterwards."""
    threads: Annotated[int, Field(strict=True, ge=1, le=256)] = 1
    """CPU threads of a job; results are bit-exact for a fixed number only, also in float64."""


class ExpectSpec(SpecModel):
    """A published number that this spec is to reproduce, or an order that a publication shows."""

    accuracy: Fraction | None = None
    """Fraction of test images, between 0 and 1: what was published."""
    above: Name | None = None
    """Instead of a number, where only a figure shows it: the variant of the same matrix that this
    one is better than."""
    source: Text
    tolerance: Fraction | None = None
    """How far off it may be; by default a point, or two published deviations where that is more."""
    network: Name | None = None
    """What was trained on the set; by default the network that it was distilled with."""
    set: Name | None = None
    """Of which set: a baseline such as `random`, or `to-100` after 100 outer loops where
    `evaluate.snapshots` asks for it; by default the distilled one."""
    protocol: Name | None = None
    """The protocol that it was published under, where the spec may be judged by another one."""
    std: Fraction | None = None
    """Published standard deviation over networks or sets."""

    @model_validator(mode="after")
    def _one_claim(self) -> Self:
        if (self.accuracy is None) == (self.above is None):
            raise ValueError("exactly one of `accuracy` and `above` is expected")
        return self


class Experiment(SpecModel):
    """A complete experiment: what is distilled, how, and how it is judged."""

    name: Name
    title: Text | None = None
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 0
    dataset: DatasetSpec
    budget: BudgetSpec
    network: NetworkSpec
    pool: PoolSpec
    perturbation: PerturbationSpec = Field(default_factory=NoPerturbationSpec)
    inner: InnerSpec
    matcher: MatcherSpec
    augmentation: AugmentationSection = Field(default_factory=AugmentationSection)
    parameterization: ParameterizationSpec = Field(default_factory=PixelsSpec)
    init: InitSpec = Field(default_factory=InitSpec)
    update: AnyUpdateSpec
    labels: LabelsSpec | None = None
    """By default hard: each image has the label of its class."""
    loops: LoopsSpec
    precision: Literal["float32", "float64", "tf32"] = "float32"
    evaluate: EvaluateSpec
    resources: ResourcesSpec = Field(default_factory=ResourcesSpec)
    expect: tuple[ExpectSpec, ...] = ()
    imported: ImportedSpec | None = None
    """By default the set is distilled; else it is taken from files of official code."""
