"""A store, hosts that work in it in containers, and a look at the engine that is not ddspec's own.

The look goes through the docker SDK and the labels that containers carry; nothing of the executor
under test is used to judge it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_docker_host import Told
from fake_plans import PLANS

from ddspec.plan.ir import Stage
from ddspec.store.store import Store, open_store

HOST = Path(__file__).with_name("fake_docker_host.py")
PATIENCE_S = 120
STEPS = 8
STORE, HOME = "org.ddspec.store", "org.ddspec.home"


@dataclass(frozen=True, slots=True)
class Ended:
    """What a host left."""

    code: int
    states: Mapping[str, str]


@dataclass(slots=True)
class Harbour:
    """One store in a folder."""

    folder: Path
    api: Any
    """The docker SDK's low-level client."""
    told: Told
    prefix: tuple[str, ...] = ()
    """Put before the command line of a host."""
    environ: dict[str, str] = field(default_factory=dict)
    hosts: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return open_store(Path(self.told.home))

    @property
    def stages(self) -> tuple[Stage, ...]:
        return PLANS[self.told.plan]()

    def tell(self, **changes: Any) -> None:
        self.told = dataclasses.replace(self.told, **changes)

    def behave(self, label: str, **behaviour: Any) -> None:
        """Change how one stage behaves in the hosts to come."""
        old = self.told.behaviours
        self.tell(behaviours={**old, label: {**old.get(label, {}), **behaviour}})

    def host(self) -> subprocess.Popen[str]:
        """Start a host, and return at once."""
        path = self.folder / f"told-{len(self.hosts)}.json"
        path.write_text(json.dumps(dataclasses.asdict(self.told)))
        with (self.folder / "stderr").open("a") as errors:
            made = subprocess.Popen(
                [*self.prefix, sys.executable, str(HOST), str(path)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **self.environ},
            )
        self.hosts.append(made)
        return made

    def finish(self, patience_s: float = PATIENCE_S) -> Ended:
        """Run to the end."""
        return self.ended(self.host(), patience_s)

    def ended(self, host: subprocess.Popen[str], patience_s: float = PATIENCE_S) -> Ended:
        out, _ = host.communicate(timeout=patience_s)
        return Ended(host.returncode, json.loads(out) if out else {})

    def disturbed(self, seconds: float, act: Callable[[], object]) -> Ended:
        """Run, do something a while after the run began, and wait for its end."""
        begun = self.said("RunStarted")
        host = self.host()
        self.until(lambda: self.said("RunStarted") > begun or host.poll() is not None)
        try:
            host.wait(seconds)
        except subprocess.TimeoutExpired:
            act()
        return self.ended(host)

    def said(self, words: str) -> int:
        """Return how often the hosts so far have said something."""
        return self.stderr().count(words)

    def stderr(self) -> str:
        path = self.folder / "stderr"
        return path.read_text() if path.exists() else ""

    def containers(self, *states: str) -> list[dict[str, Any]]:
        """Return the containers of this store in some states, or in any."""
        ours = [f"{STORE}={self.store.id}", f"{HOME}={self.told.home}"]
        found = self.api.containers(all=True, filters={"label": ours})
        return [one for one in found if not states or one["State"] in states]

    def living(self) -> list[str]:
        return [one["Id"] for one in self.containers("running", "paused")]

    def signal(self, name: str) -> int:
        """Send a signal to every container of the store; return how many took it."""
        taken = 0
        for container in self.living():
            with suppress_gone():
                self.api.kill(container, signal=name)
                taken += 1
        return taken

    def pause(self) -> list[str]:
        """Pause every container of the store that runs; return those that were still there."""
        paused = []
        for container in self.living():
            with suppress_gone():
                self.api.pause(container)
                paused.append(container)
        return paused

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that a host at work brings about."""
        end = time.monotonic() + PATIENCE_S
        while not holds():
            at_work = any(host.poll() is None for host in self.hosts)
            hopeless = time.monotonic() > end or not (at_work or holds())
            assert not hopeless, f"it does not happen:\n{self.stderr()[-3000:]}"
            time.sleep(0.01)

    def events(self) -> list[tuple[str, str, int]]:
        """Return (label, event, done) of all that runners recorded, over all attempts."""
        found = []
        for stage in self.stages:
            path = self.store.layout.events(stage.key or "")
            for line in path.read_text().splitlines() if path.exists() else ():
                with suppress(ValueError):  # a runner was killed inside the line
                    told = json.loads(line)
                    found.append((stage.label, told["event"], told["done"]))
        return found

    def starts(self) -> Counter[str]:
        return Counter(label for label, event, _ in self.events() if event == "started")

    def steps(self) -> Counter[tuple[str, int]]:
        return Counter((label, done) for label, event, done in self.events() if event == "progress")

    def doubled(self) -> int:
        """Return how many steps were done again."""
        return sum(self.steps().values()) - len(self.steps())

    def data(self) -> dict[str, str]:
        objects = self.store.layout.object
        return {
            stage.label: (objects(stage.key or "") / "data").read_text() for stage in self.stages
        }

    def remove(self) -> None:
        """End every host and remove every container of the store."""
        for host in self.hosts:
            host.kill()
            host.communicate()
        for one in self.containers():
            with suppress_gone():
                self.api.remove_container(one["Id"], force=True)


def engine_client() -> Any:
    """Return the SDK's client of the engine that the environment names."""
    import docker  # slow to load, and not every test needs it

    return docker.APIClient(**docker.utils.kwargs_from_env(), timeout=60)


def suppress_gone() -> suppress:
    """Ignore that a container is gone, is not running, or is being removed by somebody else."""
    from docker.errors import APIError

    return suppress(APIError)


def expected(stages: tuple[Stage, ...], steps: Mapping[str, int]) -> dict[str, str]:
    """Return what the fake runners write for each stage, computed here, without any of them."""
    made: dict[str, str] = {}
    for stage in stages:
        text = ".".join([stage.key or "", *map(str, range(steps.get(stage.label, 1)))])
        above = [made[label] for label in stage.upstream.values()]
        made[stage.label] = "+".join([text, *above]) + "\n"
    return made
