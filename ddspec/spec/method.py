"""The pieces of a method: pool, perturbation, inner loop, matcher, parameterisation, update."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddspec.spec.augmentation import AugmentationSpec, SgdSpec, StepDecaySpec
from ddspec.spec.base import Count, Natural, Positive, Real, SpecModel

# --- pool -----------------------------------------------------------------------------------------


class VarySpec(SpecModel):
    """How pool members differ besides their seed: member i takes entry i, cycling."""

    learning_rate: tuple[Positive, ...] = ()
    augmentation: tuple[AugmentationSpec, ...] = ()


class RecordedPoolSpec(SpecModel):
    """Networks recorded early in training on real data (Acc-DD section 4.2); 0 epochs is random."""

    kind: Literal["recorded"]
    models: Annotated[int, Field(strict=True, ge=1, le=1000)] = 5
    epochs: Natural = 2
    """The snapshot taken; never chosen by looking at a test split."""
    batch: Count = 64
    optimizer: SgdSpec = Field(default_factory=SgdSpec)
    decay: StepDecaySpec | None = None
    vary: VarySpec = Field(default_factory=VarySpec)


PoolSpec = RecordedPoolSpec

# --- perturbation ---------------------------------------------------------------------------------


class NoPerturbationSpec(SpecModel):
    """Use a picked network as it is."""

    kind: Literal["none"] = "none"


class FixedCoefficientSpec(SpecModel):
    """The same coefficient for every direction (the paper's alpha)."""

    law: Literal["fixed"]
    value: Real


class UniformCoefficientSpec(SpecModel):
    """Magnitude uniform in [low, high], sign by a fair coin (the official code of Acc-DD)."""

    law: Literal["uniform_signed"]
    low: Annotated[float, Field(strict=True, ge=0, le=1e6)]
    high: Annotated[float, Field(strict=True, ge=0, le=1e6)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if Decimal(repr(self.low)) > Decimal(repr(self.high)):
            raise ValueError("`low` must not exceed `high`")
        return self


CoefficientSpec = Annotated[
    FixedCoefficientSpec | UniformCoefficientSpec, Field(discriminator="law")
]


class FilterGaussianSpec(SpecModel):
    """Gaussian directions, each filter rescaled to the norm of the network's (Acc-DD Eq. 3)."""

    kind: Literal["filter_gaussian"]
    directions: Annotated[int, Field(strict=True, ge=1, le=16)] = 1
    coefficient: CoefficientSpec


PerturbationSpec = Annotated[NoPerturbationSpec | FilterGaussianSpec, Field(discriminator="kind")]

# --- inner loop -----------------------------------------------------------------------------------


class FrozenInnerSpec(SpecModel):
    """The network does not move during an outer loop."""

    kind: Literal["frozen"]


class OnRealInnerSpec(SpecModel):
    """After each inner step the network takes SGD steps on real images of all classes (IDC)."""

    kind: Literal["on_real"]
    steps: Count
    """Mini-batches an inner step; IDC's `n_data` samples are ceil(n_data / batch) of them."""
    batch: Count = 64
    optimizer: SgdSpec = Field(default_factory=SgdSpec)


InnerSpec = Annotated[FrozenInnerSpec | OnRealInnerSpec, Field(discriminator="kind")]

# --- matcher --------------------------------------------------------------------------------------


class GradientMatcherSpec(SpecModel):
    """Match, class by class, the gradient of the loss on real and on synthetic images."""

    kind: Literal["gradient"]
    distance: Literal["squared", "l1", "cosine"]
    """`squared` and `l1` sum over elements (IDC); `cosine` sums 1 - cos over output rows (DC)."""
    parameters: Literal["kernels", "matrices", "all"] = "kernels"
    """`kernels`: convolutions only (IDC); `matrices`: every tensor of 2 or more dimensions (DC)."""
    real_batch: Count = 64
    """Real images per class and step."""
    max_views: Count = 128
    """Synthetic images (after decoding) per class and step; a fresh random subset when more."""


MatcherSpec = GradientMatcherSpec

# --- what is learned ------------------------------------------------------------------------------


class PixelsSpec(SpecModel):
    """Learn the images themselves."""

    kind: Literal["pixels"] = "pixels"
    space: Literal["pixel", "normalised"] = "pixel"
    """`pixel` is [0, 1]; `normalised` is after subtracting mean and dividing by deviation."""


class MultiFormationSpec(SpecModel):
    """Each image holds factor x factor patches, upsampled bilinearly when used (IDC)."""

    kind: Literal["multi_formation"]
    factor: Annotated[int, Field(strict=True, ge=1, le=8)] = 2
    space: Literal["pixel", "normalised"] = "pixel"


ParameterizationSpec = Annotated[PixelsSpec | MultiFormationSpec, Field(discriminator="kind")]


class InitSpec(SpecModel):
    """Where the synthetic images start."""

    kind: Literal["real", "noise", "mix"] = "real"
    """`mix` fills each cell of a multi-formation image with its own real image (IDC)."""
    draw: Literal["random", "first"] = "random"
    """Which real images: drawn by the seed, or the first of each class (IDC's code)."""


class UpdateSpec(SpecModel):
    """How the images move: elementwise SGD with momentum."""

    learning_rate: Positive
    scaling: Literal["none", "idc"] = "none"
    """`idc` multiplies by (images per class / 10) x (size / base size)^2, as IDC's code does."""
    momentum: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.5
    clock: Literal["shared", "per_class"] = "shared"
    """`shared`: one optimiser stepped after every class, so momentum moves the others too (IDC)."""
    clamp: Literal["none", "outer_loop"] = "none"
    """`outer_loop` clamps to [0, 1] at the start of each outer loop (IDC)."""


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
            raise ValueError(f"snapshots must lie before outer_loops: {late[0]} does not")
        if list(self.snapshots) != sorted(set(self.snapshots)):
            raise ValueError("snapshots must increase")
        return self
