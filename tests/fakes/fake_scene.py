"""A run over fake runners: what it is told, what it tells, and what it did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_plans import executor_of

from ddspec.executors.local import LocalExecutor
from ddspec.plan.ir import Stage
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan
from ddspec.run.events import RunEvent, StageEvent
from ddspec.run.outcome import Outcome
from ddspec.store.store import Store


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

    def starts(self) -> list[str]:
        """Return the labels of all stages that were begun, in order."""
        lines = (self.folder / "log").read_text().splitlines()
        return [line.removeprefix("start ") for line in lines if line.startswith("start ")]

    def told(self, kind: type[StageEvent]) -> list[str]:
        """Return the labels that events of a kind were told of, in order."""
        return [event.label for event in self.events if isinstance(event, kind)]

    def data(self, stage: Stage) -> str:
        return (self.store.layout.object(stage.key or "") / "data").read_text()
