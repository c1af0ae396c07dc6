"""The one model configuration of everything that may appear in a spec, and its scalar types."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(strict=True, ge=1, le=10**9)]
Natural = Annotated[int, Field(strict=True, ge=0, le=10**9)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Text = Annotated[str, Field(strict=True, max_length=2_000)]


class SpecModel(BaseModel):
    """Base of everything that may appear in YAML: frozen, and strict about unknown keys.

    Fields are documented by the string below them; a field that is new in a later version arrives
    as `X | None = None`, so that identities made before it stay what they were.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


def written(model: BaseModel) -> dict[str, Any]:
    """Return all fields of a model as JSON, without optional ones that are left out.

    A None that is not the default stays, so the model can be read back from it.
    """
    return _short(model, model.model_dump(mode="json"))


def _short(model: BaseModel, dumped: dict[str, Any]) -> dict[str, Any]:
    fields = type(model).model_fields
    return {
        name: _shortened(value, dumped[name])
        for name, value in model
        if name in dumped and not (value is None and fields[name].default is None)
    }


def _shortened(value: Any, dumped: Any) -> Any:
    if isinstance(value, BaseModel):
        return _short(value, dumped)
    if isinstance(value, tuple):
        return [_shortened(*pair) for pair in zip(value, dumped, strict=True)]
    return dumped
