"""Kind of work to the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pydantic import JsonValue

from ddspec_runners.site import Site
from ddspec_runners.tasks import distill, evaluate, merge, prepare, pretrain, select

Task: TypeAlias = Callable[[Any, Site], Mapping[str, JsonValue]]
"""Do one work at its site: write files to `site.output`, return the metrics for the result."""

TASKS: Mapping[str, Task] = {
    "prepare": prepare.run,
    "pretrain": pretrain.run,
    "distill": distill.run,
    "select": select.run,
    "merge": merge.run,
    "evaluate": evaluate.run,
}
