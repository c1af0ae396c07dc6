"""Executors whose jobs are a line of shell, and an order to give them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_engine import fake_image
from fake_plans import chain

from ddspec.executors.base import Executor, Handle, JobOrder, JobState, Site, Terms
from ddspec.executors.docker import DockerExecutor
from ddspec.executors.local import LocalExecutor
from ddspec.store.store import Store
from ddspec.wire.job import Job, JobStage

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Maker:
    """How a test makes an executor with a command of its own."""

    make: Callable[[Site, tuple[str, ...]], Executor[Any]]
    out: str
    """Where a job finds its folder `output`, for a shell."""


@dataclass(slots=True)
class Bench:
    """Makes executors of one kind that run a shell script, and cleans up after them.

    Scripts find the folder that `out` returns in the variable OUT.
    """

    store: Store
    maker: Maker
    handles: list[tuple[Executor[Any], Handle]] = field(default_factory=list)

    def executor(self, script: str = ":") -> Executor[Any]:
        layout = self.store.layout
        site = Site(self.store.id, layout.attempts, layout.scratch, layout.object)
        return self.maker.make(site, ("sh", "-c", f"OUT={self.maker.out}; {script}", "job"))

    def out(self, attempt: str = "one") -> Path:
        """Return what a job calls $OUT."""
        return self.store.layout.attempts / attempt / "output"

    def submit(self, executor: Executor[Any], attempt: str = "one") -> Handle:
        handle = executor.submit(executor.prepare(order(attempt)))
        self.handles.append((executor, handle))
        return handle

    def ended(self, executor: Executor[Any], handle: Handle) -> JobState:
        """Return the state of a job once it is over."""
        end = time.monotonic() + PATIENCE_S
        while not (state := executor.poll([handle])[handle]).over:
            assert time.monotonic() < end, "the job does not end"
            time.sleep(0.005)
        return state


def order(attempt: str) -> JobOrder:
    """Return an order of one stage with one input."""
    stage = chain()[1]
    part = JobStage(key=stage.key or "", label="second", work=stage.work, inputs=stage.inputs)
    return JobOrder(attempt, Job(stages=(part,), threads=3))


def local(site: Site, command: tuple[str, ...]) -> Executor[Any]:
    return LocalExecutor(site, command=command, environ={**os.environ, "SECRET": "leaked"})


def docker(site: Site, command: tuple[str, ...]) -> Executor[Any]:
    """Return an executor; the input of `order` has to be there to be mounted."""
    for key in order("any").inputs:
        site.object(key).mkdir(parents=True, exist_ok=True)
    terms = Terms(image=fake_image(), memory=1 << 28)
    return DockerExecutor(site, terms, command, {**os.environ, "SECRET": "leaked"})


MAKERS = {"docker": Maker(docker, "/output"), "local": Maker(local, '"$PWD/output"')}
"""How a test makes each executor of the registry."""
