"""Measure what a run itself costs when it has many stages: jobs take no time, or do nothing.

Usage: python tests/benchmarks/bench_loop.py [--stages N ...]
Jobs run nowhere: submitting one writes its outputs, so that what is left is the work of the tool.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from ddspec.executors.base import Capabilities, Handle, JobOrder, JobState, LogChunk, Phase, Stream
from ddspec.plan.ir import Stage, stage_key
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan
from ddspec.store.layout import Layout
from ddspec.store.store import Store, open_store
from ddspec.wire.job import JobExit
from ddspec.wire.work import RandomSelection, SelectWork

POLL_S = 0.001


@dataclass(slots=True)
class Instant:
    """An executor whose jobs are over after some looks, with all outputs written."""

    layout: Layout
    looks: int
    """How many looks each job lives."""
    name: str = "instant"
    polls: int = 0
    left: dict[Handle, int] = field(default_factory=dict)

    def capabilities(self) -> Capabilities:
        """Return what this place can do."""
        return Capabilities(after=False, survives_host=False)

    def prepare(self, order: JobOrder) -> JobOrder:
        """Return the order itself."""
        return order

    def submit(self, request: JobOrder, after: Sequence[Handle] = ()) -> Handle:
        """Write what the job would write."""
        for stage in request.document.stages:
            output = self.layout.output(request.attempt, stage.key)
            output.mkdir(parents=True)
            result = {
                "format": "ddspec.result/1",
                "key": stage.key,
                "label": stage.label,
                "kind": stage.work.kind,
                "revision": stage.work.revision,
                "metrics": {},
                "engine": {},
                "seconds": 0.0,
            }
            (output / "result.json").write_text(json.dumps(result))
        self.left[request.attempt] = self.looks
        return request.attempt

    def poll(self, handles: Sequence[Handle]) -> Mapping[Handle, JobState]:
        """Return that each job runs until it was looked at often enough."""
        self.polls += 1
        for handle in handles:
            self.left[handle] -= 1
        return {handle: self._state(handle) for handle in handles}

    def logs(self, handle: Handle, offset: int = 0, stream: Stream = "stderr") -> LogChunk:
        """Return nothing."""
        return LogChunk("", 0)

    def cancel(self, handle: Handle, *, force: bool = False) -> None:
        """Let the job end at the next look."""
        self.left[handle] = 0

    def settle(self, attempt: str) -> Handle | None:
        """Return the handle of an attempt that was submitted."""
        return attempt if attempt in self.left else None

    def find(self, store_id: str) -> Mapping[str, Handle]:
        """Return no jobs: none survives its host."""
        return {}

    def retire(self, handle: Handle) -> Mapping[str, JsonValue]:
        """Do nothing."""
        return {}

    def sweep(self, claimed: Callable[[], Collection[str]]) -> Sequence[str]:
        """Do nothing."""
        return ()

    def _state(self, handle: Handle) -> JobState:
        over = self.left[handle] <= 0
        return JobState(Phase.DONE, JobExit.DONE) if over else JobState(Phase.RUNNING)


def stage(label: str, number: int, above: Stage | None = None) -> Stage:
    """Return a stage over another one."""
    work = SelectWork(selection=RandomSelection(), images_per_class=1, seed=(number,))
    upstream = {} if above is None else {"train": above.label}
    inputs = {} if above is None else {"train": above.key or ""}
    return Stage(
        label=label, work=work, upstream=upstream, inputs=inputs, key=stage_key(work, inputs)
    )


def wide(count: int) -> tuple[Stage, ...]:
    """Return one stage, and all others over it."""
    first = stage("first", 0)
    return first, *(stage(f"wide/{i}", i, first) for i in range(1, count))


def deep(count: int) -> tuple[Stage, ...]:
    """Return a chain."""
    stages = [stage("deep/0", 0)]
    for i in range(1, count):
        stages.append(stage(f"deep/{i}", i, stages[-1]))
    return tuple(stages)


CASES: dict[str, tuple[Callable[[int], tuple[Stage, ...]], int]] = {
    "wide, each job one look": (wide, 1),
    "deep, each job one look": (deep, 1),
    "wide, each job 200 looks": (wide, 200),
}
"""Shape of the plan, and the looks that a job lives."""


def cost(stages: Sequence[Stage], store: Store, looks: int) -> tuple[float, float]:
    """Return CPU milliseconds of a whole run for each stage, and for each look."""
    executor = Instant(store.layout, looks)
    begin = time.process_time()
    run_plan(stages, store, executor, sink=lambda event: None, orders=Orders(jobs=2, poll_s=POLL_S))
    milliseconds = 1000 * (time.process_time() - begin)
    return milliseconds / len(stages), milliseconds / executor.polls


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, nargs="+", default=[125, 500, 2000])
    chosen = parser.parse_args()
    print(f"{'CPU milliseconds':<28}{'stages':>8}{'a stage':>10}{'a look':>10}")
    for name, (shape, looks) in CASES.items():
        for count in chosen.stages:
            with tempfile.TemporaryDirectory() as folder:
                store = open_store(Path(folder) / "home")
                a_stage, a_look = cost(shape(count), store, looks)
            print(f"{name:<28}{count:>8}{a_stage:>10.2f}{a_look:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
