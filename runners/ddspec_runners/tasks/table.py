"""Kind of work to the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec_runners.site import Site
from ddspec_runners.tasks import (
    checkpoint,
    distill,
    evaluate,
    imported,
    merge,
    prepare,
    pretrain,
    prune,
    relabel,
    round,
    select,
)

Task: TypeAlias = Callable[[Any, Site], Mapping[str, JsonValue]]
"""Do one work at its site: write files to `site.output`, return the metrics for the result."""

TASKS: Mapping[str, Task] = {
    "prepare": prepare.run,
    "pretrain": pretrain.run,
    "checkpoint": checkpoint.run,
    "prune": prune.run,
    "distill": distill.run,
    "import": imported.run,
    "select": select.run,
    "merge": merge.run,
    "round": round.run,
    "relabel": relabel.run,
    "evaluate": evaluate.run,
}


@dataclass(frozen=True, slots=True)
class Together:
    """How several works of one kind are done at once."""

    mates: Callable[[Any, Mapping[str, Digest]], str | None]
    """Return, of a work and its inputs, what those have in common that may be done together."""
    run: Callable[[Sequence[Any], Sequence[Site]], Sequence[Mapping[str, JsonValue]]]
    """Do all of them, each at its own site, and return the metrics of each."""


TOGETHER: Mapping[str, Together] = {
    "evaluate": Together(evaluate.mates, evaluate.run_together),
}
"""Kinds of work of which several can be done at once."""
