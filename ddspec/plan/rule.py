"""What a numbered rule is, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule between sections of a spec, as `ddspec explain` tells it."""

    number: int
    title: str
    severity: Literal["error", "note", "error or note"]
    """An error forbids the plan; a note is shown with it."""
    says: str
    """When it is violated."""
    why: str
    mend: str
    wrong: str
    """Part of a spec, as YAML, that violates it."""
    right: str
    """The same part, mended."""
    images: Mapping[str, int] | None = None
    """Training images of each class in the lock of the example's folder, where it has one."""

    @property
    def code(self) -> str:
        """The number as messages print it: `DDS014`."""
        return f"DDS{self.number:03}"
