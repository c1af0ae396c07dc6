"""The base of all works."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ddspec.canon import Json

Precision = Literal["float32", "float64", "tf32"]


class WorkModel(BaseModel):
    """Base of all works."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def identity(self) -> Json:
        """Return what is hashed: all fields, defaults included, without those that are None."""
        plain: Json = self.model_dump(mode="json", exclude_none=True)
        return plain
