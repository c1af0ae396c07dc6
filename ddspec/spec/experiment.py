"""The root of a spec."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.augmentation import AugmentationSection
from ddspec.spec.base import Count, Fraction, Name, SpecModel, Text
from ddspec.spec.dataset import DatasetSpec
from ddspec.spec.evaluate import EvaluateSpec
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
    """A published number that this spec is to reproduce."""

    accuracy: Fraction
    source: Text
    tolerance: Fraction | None = None
    network: Name | None = None
    std: Fraction | None = None
    """Published standard deviation over networks or sets."""


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
