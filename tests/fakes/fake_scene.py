"""A run over fake runners: what it is told, what it tells, and what it did."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fake_plans import chain, executor_of, key_of

from ddspec.executors.base import JobOrder
from ddspec.executors.local import LocalExecutor
from ddspec.host import this_process
from ddspec.plan.ir import Stage
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan
from ddspec.run.events import RunEvent, StageEvent
from ddspec.run.outcome import Outcome
from ddspec.store.claims import Claim
from ddspec.store.store import Store
from ddspec.wire.job import Job, JobStage


@dataclass(slots=True)
class Scene:
    """One store with fake runners."""

    folder: Path
    store: Store
    events: list[RunEvent] = field(default_factory=list)

    @property
    def executor(self) -> LocalExecutor:
        return executor_of(self.store, self.folder / "script.json", self.folder / "log")

    def behave(self, **behaviours: dict[str, Any]) -> None:
        """Tell the runners how to treat the stage of each label (`__` for a slash)."""
        script = {label.replace("__", "/"): told for label, told in behaviours.items()}
        (self.folder / "script.json").write_text(json.dumps(script))

    def run(self, stages: Sequence[Stage], *, jobs: int = 2, **orders: Any) -> Outcome:
        self.events.clear()
        settings = {"poll_s": 0.005, "pause_s": 0.01} | orders
        return run_plan(
            stages,
            self.store,
            self.executor,
            sink=self.events.append,
            orders=Orders(jobs=jobs, **settings),
        )

    def hand_over(self) -> None:
        """Start the first stage of the chain as a run would that dies right afterwards."""
        first = chain()[0]
        part = JobStage(key=key_of(first), label=first.label, work=first.work, inputs={})
        order = JobOrder("handed-over", Job(stages=(part,)))
        handle = self.executor.submit(self.executor.prepare(order))
        dead = replace(this_process(), birth="never")
        claim = Claim(
            key_of(first), first.label, order.attempt, "local", handle, dead, 0, time.time()
        )
        self.store.claims.take(claim)

    def starts(self) -> list[str]:
        """Return the labels of all stages that were begun, in order."""
        lines = (self.folder / "log").read_text().splitlines()
        return [line.removeprefix("start ") for line in lines if line.startswith("start ")]

    def told(self, kind: type[StageEvent]) -> list[str]:
        """Return the labels that events of a kind were told of, in order."""
        return [event.label for event in self.events if isinstance(event, kind)]

    def data(self, stage: Stage) -> str:
        return (self.store.layout.object(stage.key or "") / "data").read_text()
