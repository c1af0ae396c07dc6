"""What became of each stage of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec.errors import Exit

StageState: TypeAlias = Literal[
    "done", "in store", "not needed", "failed", "blocked", "interrupted"
]


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """What became of one stage."""

    label: str
    key: Digest
    kind: str
    state: StageState
    seconds: float | None
    """Working time behind the output, over all attempts; None where there is no output."""
    metrics: Mapping[str, JsonValue]
    """Figures of the stage, empty where there is no output."""
    reason: str = ""
    """Why it failed, or by which stage it is blocked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run; stages in the order of the plan."""

    stages: tuple[StageOutcome, ...]
    interrupted: bool = False
    """The person asked to stop before everything was there."""
    detached: bool = False
    """The terminal went away; jobs were left running and the next run adopts them."""

    @property
    def exit(self) -> Exit:
        """The exit code that says the same."""
        if self.interrupted or self.detached:
            return Exit.INTERRUPTED
        if any(stage.state in ("failed", "blocked") for stage in self.stages):
            return Exit.FAILED
        return Exit.DONE
