"""The places where jobs can run."""

from __future__ import annotations

import importlib
from typing import Any

from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Executor, Site, Terms

EXECUTORS = {
    "docker": "ddspec.executors.docker:DockerExecutor",
    "local": "ddspec.executors.local:LocalExecutor",
}
"""Name to where its class lies; imported on demand, for some need libraries that are slow to load.
Every class is made from a `Site` and `Terms`."""


def make_executor(name: str, site: Site, terms: Terms | None = None) -> Executor[Any]:
    """Make the executor of a name; DdspecError (exit 2) for one that does not exist."""
    if name not in EXECUTORS:
        raise DdspecError(
            f"no executor is called `{name}`",
            exit=Exit.USAGE,
            hint=f"one of: {', '.join(EXECUTORS)}",
        )
    module, _, attribute = EXECUTORS[name].partition(":")
    executor: Executor[Any] = getattr(importlib.import_module(module), attribute)(
        site, terms or Terms()
    )
    return executor
