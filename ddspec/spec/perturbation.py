"""How a picked network is varied before an outer loop."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddspec.spec.base import Real, SpecModel


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
