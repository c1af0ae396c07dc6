"""A `ddspec run --executor docker` without a command line, over fake runners; exits as it does.

Called as `fake_docker_host.py TOLD.json`, see `Told`. Prints the state of each stage as JSON.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from fake_plans import PLANS, RUNNER

from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Executor, Terms
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan, site_of
from ddspec.run.outcome import Outcome
from ddspec.store.store import Store, open_store

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Told:
    """What a host is told to do."""

    home: str
    image: str
    plan: str = "diamond"
    behaviours: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: int = 2
    memory: int = 256 * MIB
    shm: int = 16 * MIB
    orders: dict[str, Any] = field(default_factory=dict)


def executor_of(store: Store, told: Told) -> Executor[Any]:
    """Return an executor whose containers hold the fake runner, its log in the job's cache."""
    from ddspec.executors.docker import DockerExecutor  # slow to load, and not every test needs it

    script = json.dumps(told.behaviours)
    command = ("python3", "-I", "-S", "-c", RUNNER.read_text(), script, "/cache/log")
    terms = Terms(image=told.image, jobs=told.jobs, memory=told.memory, shm=told.shm)
    return DockerExecutor(site_of(store), terms, command=command, environ=dict(os.environ))


def run(told: Told) -> Outcome:
    store = open_store(Path(told.home))
    settings = {"poll_s": 0.02, "pause_s": 0.05} | told.orders
    return run_plan(
        PLANS[told.plan](),
        store,
        executor_of(store, told),
        sink=lambda event: print(event, file=sys.stderr, flush=True),
        orders=Orders(jobs=told.jobs, **settings),
    )


def main() -> int:
    try:
        outcome = run(Told(**json.loads(Path(sys.argv[1]).read_text())))
    except DdspecError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit
    except KeyboardInterrupt:  # once more, when the run was over
        return Exit.INTERRUPTED
    print(json.dumps({stage.label: stage.state for stage in outcome.stages}))
    return outcome.exit


if __name__ == "__main__":
    sys.exit(main())
