"""Measure what a stage costs more in a container than as a process, and what polling costs.

Usage: PYTHONPATH=tests/fakes python tests/benchmarks/bench_docker.py [--runs N] [--jobs N]
[--image REF] [CASE ...]
Needs an engine. `engine` is what the engine itself takes to create, start, await and remove a bare
container. `stages` runs a plan of fake runners in an image made for it; `real` runs the first
stage of specs/digits.yaml, in the runner image and as a process; `polls` starts containers that
sleep. Rounds take turns between the places, so that a busy moment meets them alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from fake_docker_host import MIB, Told
from fake_docker_host import executor_of as in_containers
from fake_engine import engine, fake_image
from fake_plans import chain, evaluate, key_of, stage
from fake_plans import executor_of as as_processes

from ddspec.cli.inputs import compile_spec
from ddspec.engine.images import IMAGE, runner_image
from ddspec.executors.base import Executor, JobOrder, Terms
from ddspec.executors.docker import DockerExecutor
from ddspec.executors.local import LocalExecutor
from ddspec.plan.ir import Stage
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan, site_of
from ddspec.store.store import Store, open_store
from ddspec.wire.job import Job, JobStage

ROOT = Path(__file__).parents[2]
POLLS = 100
POLL_S = {"local": 0.03, "docker": 0.05}
"""As `ddspec run` looks."""
SPANS = {"prepare": "request", "submit": "start", "retire": "take down"}
Figures = dict[str, list[float]]


@dataclass(slots=True)
class Clocked:
    """An executor, and the seconds that its methods took."""

    inner: Any
    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name not in SPANS:
            return found

        def clocked(*given: Any, **named: Any) -> Any:
            begin = time.perf_counter()
            try:
                return found(*given, **named)
            finally:
                self.spent[SPANS[name]] += time.perf_counter() - begin

        return clocked


@contextmanager
def fresh() -> Iterator[Store]:
    """Make a store for one run."""
    with tempfile.TemporaryDirectory(prefix="ddspec-bench-") as folder:
        yield open_store(Path(folder) / "home")


def fake_local(store: Store) -> Executor[Any]:
    """Return an executor of fake runners as processes."""
    folder = store.layout.home.parent
    (folder / "script.json").write_text("{}")
    return as_processes(store, folder / "script.json", folder / "log")


def fake_docker(store: Store) -> Executor[Any]:
    """Return an executor of fake runners in containers."""
    return in_containers(store, Told(str(store.layout.home), fake_image()))


def real_local(store: Store) -> Executor[Any]:
    """Return an executor of real runners as processes."""
    return LocalExecutor(site_of(store))


def real_docker(store: Store, reference: str = IMAGE) -> Executor[Any]:
    """Return an executor of real runners in containers of any version of the image."""
    return DockerExecutor(
        site_of(store),
        Terms(image=reference, memory=4096 * MIB),
        find_image=lambda engine, asked: runner_image(engine, asked or IMAGE),
    )


def one_run(
    stages: Sequence[Stage], place: str, make: Callable[[Store], Executor[Any]]
) -> Mapping[str, float]:
    """Return the seconds of each span of a run, for one stage."""
    with fresh() as store:
        executor = Clocked(make(store))
        begin = time.perf_counter()
        outcome = run_plan(
            stages,
            store,
            executor,
            sink=lambda event: None,
            orders=Orders(poll_s=POLL_S[place]),
        )
        spans = {"whole": time.perf_counter() - begin, **executor.spent}
        if outcome.exit:
            sys.exit(f"{place}: {[made.reason for made in outcome.stages]}")
    spans["job and the rest"] = spans["whole"] - sum(executor.spent.values())
    return {name: seconds / len(stages) for name, seconds in spans.items()}


def compare(
    stages: Sequence[Stage], makers: Mapping[str, Callable[[Store], Executor[Any]]], runs: int
) -> None:
    """Print seconds a stage in each place, and the difference of each pair of runs."""
    figures: dict[str, Figures] = {place: defaultdict(list) for place in makers}
    for number in range(runs + 1):
        for place, make in makers.items():
            for name, seconds in one_run(stages, place, make).items():
                if number:  # the first one warms the file cache
                    figures[place][name].append(seconds)
    for place, rows in figures.items():
        for name in ("whole", *SPANS.values(), "job and the rest"):
            print(line(f"{place}: {name}", rows[name]))
    pairs = zip(figures["docker"]["whole"], figures["local"]["whole"], strict=True)
    print(line("docker - local (bar 1 s)", [one - other for one, other in pairs]))


def bare() -> None:
    """Run a container that does nothing."""
    api = engine().api
    made = api.create_container(fake_image(), ["true"], entrypoint=[], network_disabled=True)
    api.start(made)
    api.wait(made)
    api.remove_container(made)


def real_stages() -> tuple[Stage, ...]:
    """Return the first stage of the digits: it loads the whole numerical stack."""
    return compile_spec(ROOT / "specs" / "digits.yaml").plan.stages[:1]


def polls(jobs: int, runs: int) -> None:
    """Print what it costs to look at many containers, and often at one of them."""
    with fresh() as store:
        executor = DockerExecutor(
            site_of(store),
            Terms(image=fake_image(), memory=64 * MIB, shm=4 * MIB),
            command=("sleep", "1000"),
        )
        handles, starts = [], []
        try:
            for number in range(jobs):
                begin = time.perf_counter()
                handles.append(executor.submit(executor.prepare(order(number))))
                starts.append(time.perf_counter() - begin)
            print(line("start of a container", starts))
            told_polls(executor, handles, f"{jobs} that run", runs)
            for handle in handles:
                executor.cancel(handle, force=True)
            wait_for(executor, handles)
            ends = [clocked(lambda: executor.poll(handles)) for _ in range(runs)]
            print(line(f"poll of {jobs} that ended", ends))
            downs = [clocked(partial(executor.retire, handle)) for handle in handles]
            print(line("take down a container", downs))
            told_polls(executor, handles, f"{jobs} taken down", runs)
        finally:
            executor.sweep(lambda: ())


def told_polls(executor: Executor[Any], handles: Sequence[str], what: str, runs: int) -> None:
    """Print the times of one poll of all handles, and of many polls of one."""
    together = [clocked(lambda: executor.poll(handles)) for _ in range(runs)]
    print(line(f"one poll of {what}", together))
    alone = [clocked(lambda: [executor.poll(handles[:1]) for _ in range(POLLS)]) for _ in range(3)]
    print(line(f"{POLLS} polls of one, beside {what}", alone))


def wait_for(executor: Executor[Any], handles: Sequence[str]) -> None:
    """Wait until all jobs are over."""
    while not all(state.over for state in executor.poll(handles).values()):
        time.sleep(0.1)


def order(number: int) -> JobOrder:
    """Return an order without inputs."""
    made = stage(f"sleep/{number}", evaluate(number))
    part = JobStage(key=key_of(made), label=made.label, work=made.work, inputs={})
    return JobOrder(f"{key_of(made)[:16]}-{number:08x}", Job(stages=(part,), threads=1))


def clocked(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def line(name: str, values: Sequence[float]) -> str:
    """Return one row: median, fastest and slowest."""
    if not values:
        return f"{name:<44}{'none':>10}"
    figures = (statistics.median(values), min(values), max(values))
    return f"{name:<44}" + "".join(f"{figure:>10.4f}" for figure in figures) + " s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--image", default=IMAGE)
    parser.add_argument("cases", nargs="*", default=["engine", "stages", "real", "polls"])
    chosen = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, engine {engine().api.version()['Version']}")
    print(f"{'':<44}{'median':>10}{'min':>10}{'max':>10}")
    if "engine" in chosen.cases:
        print(line("a bare container", [clocked(bare) for _ in range(chosen.runs)]))
    if "stages" in chosen.cases:
        compare(chain(), {"local": fake_local, "docker": fake_docker}, chosen.runs)
    if "real" in chosen.cases:
        makers = {
            "local": real_local,
            "docker": lambda store: real_docker(store, chosen.image),
        }
        compare(real_stages(), makers, chosen.runs)
    if "polls" in chosen.cases:
        polls(chosen.jobs, chosen.runs)


if __name__ == "__main__":
    main()
