"""Killed at any moment and run again: nothing lost, nothing done twice, no orphan.

The hosts are processes of their own, and the runners fake, so that every kill is a real one. The
moments are spread by a hash over the time that a whole run takes, the same in every test run.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import fake_plans
import pytest
from fake_plans import diamond, executor_of

from ddspec.store.store import Store, open_store

HOST = Path(fake_plans.__file__).with_name("fake_host.py")
PATIENCE_S = 60
STEPS = 8
SCRIPT: dict[str, dict[str, object]] = {
    stage.label: {"steps": STEPS, "step_s": 0.01} for stage in diamond()
}
WHOLE_S = 1.5
"""About what a run of the script takes; no test depends on it."""


def moments(name: str, count: int) -> list[float]:
    """Return seconds after which to kill, spread over a run."""
    digests = [hashlib.sha256(f"{name} {i}".encode()).digest() for i in range(count)]
    return [WHOLE_S * digest[0] / 256 for digest in digests]


@dataclass(slots=True)
class World:
    """A store, and hosts that work in it."""

    folder: Path
    script: dict[str, dict[str, object]]

    @property
    def store(self) -> Store:
        return open_store(self.folder / "home")

    def host(self) -> subprocess.Popen[str]:
        (self.folder / "script.json").write_text(json.dumps(self.script))
        with (self.folder / "stderr").open("a") as errors:
            return subprocess.Popen(
                [
                    *(sys.executable, str(HOST), str(self.folder / "home")),
                    *(str(self.folder / "script.json"), str(self.folder / "log"), "diamond", "2"),
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def finish(self) -> dict[str, str]:
        """Run to the end and return the state of each stage."""
        return answer(self.host())

    def killed_after(self, seconds: float, kill: Callable[[subprocess.Popen[str]], None]) -> None:
        """Run, and kill something a while after the host began; then wait for the host."""
        begun = self.told("RunStarted")
        host = self.host()
        until(lambda: self.told("RunStarted") > begun)
        try:
            host.wait(seconds)
        except subprocess.TimeoutExpired:
            kill(host)
        host.communicate(timeout=PATIENCE_S)

    def told(self, event: str) -> int:
        """Return how often the hosts told an event."""
        path = self.folder / "stderr"
        return path.read_text().count(event) if path.exists() else 0

    def leaders(self) -> list[int]:
        handles = executor_of(self.store, Path(), Path()).find(self.store.id).values()
        return [int(json.loads(handle)[2]) for handle in handles]

    def log(self) -> Counter[str]:
        return Counter((self.folder / "log").read_text().splitlines())

    def starts(self) -> dict[str, int]:
        return {stage.label: self.log()[f"start {stage.label}"] for stage in diamond()}

    def data(self) -> dict[str, str]:
        objects = self.store.layout.object
        return {stage.label: (objects(stage.key or "") / "data").read_text() for stage in diamond()}


def answer(host: subprocess.Popen[str]) -> dict[str, str]:
    out, _ = host.communicate(timeout=PATIENCE_S)
    states: dict[str, str] = json.loads(out)
    return states


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "log").touch()
    made = World(tmp_path, dict(SCRIPT))
    yield made
    for leader in made.leaders():
        os.killpg(leader, signal.SIGKILL)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an uninterrupted run makes."""
    folder = tmp_path_factory.mktemp("expected")
    (folder / "log").touch()
    whole = World(folder, {})
    whole.script = {label: {**told, "step_s": 0} for label, told in SCRIPT.items()}
    whole.finish()
    return whole.data()


def kill_host(host: subprocess.Popen[str]) -> None:
    host.kill()


def all_there(world: World, expected: dict[str, str]) -> None:
    states = world.finish()
    assert set(states.values()) <= {"done", "in store"}
    assert world.data() == expected
    assert world.leaders() == []
    assert list(world.store.claims.keys()) == []


def test_a_killed_host_loses_nothing_and_its_jobs_are_adopted(
    world: World, expected: dict[str, str]
) -> None:
    for seconds in moments("host", 8):
        world.killed_after(seconds / 4, kill_host)

    all_there(world, expected)
    assert set(world.starts().values()) == {1}


def test_a_killed_job_redoes_at_most_one_step_a_kill(
    world: World, expected: dict[str, str]
) -> None:
    killed: list[int] = []

    def kill_jobs(host: subprocess.Popen[str]) -> None:
        for leader in world.leaders():
            os.killpg(leader, signal.SIGKILL)
            killed.append(leader)

    for seconds in moments("jobs", 5):
        world.killed_after(seconds, kill_jobs)

    all_there(world, expected)
    steps = {line: count for line, count in world.log().items() if line.startswith("step")}
    assert len(steps) == STEPS * len(diamond())
    assert sum(steps.values()) - len(steps) <= len(killed)


def test_a_killed_supervisor_costs_nothing(world: World, expected: dict[str, str]) -> None:
    def kill_supervisors(host: subprocess.Popen[str]) -> None:
        for leader in world.leaders():
            os.kill(leader, signal.SIGKILL)

    for seconds in moments("supervisors", 4):
        world.killed_after(seconds, kill_supervisors)

    all_there(world, expected)
    assert set(world.starts().values()) == {1}


def test_everything_killed_at_once_goes_on_from_the_checkpoints(
    world: World, expected: dict[str, str]
) -> None:
    killed: list[int] = []

    def kill_all(host: subprocess.Popen[str]) -> None:
        host.kill()
        for leader in world.leaders():
            os.killpg(leader, signal.SIGKILL)
            killed.append(leader)

    for seconds in moments("all", 8):
        world.killed_after(seconds / 2, kill_all)

    all_there(world, expected)
    steps = {line: count for line, count in world.log().items() if line.startswith("step")}
    assert sum(steps.values()) - len(steps) <= len(killed)


def test_two_hosts_share_the_work_and_one_may_die(world: World, expected: dict[str, str]) -> None:
    first, second, third = world.host(), world.host(), world.host()
    until(lambda: world.log()["start pool/0"] > 0)

    second.kill()
    second.communicate(timeout=PATIENCE_S)
    states = [answer(first), answer(third)]

    assert [set(told.values()) <= {"done", "in store"} for told in states] == [True, True]
    assert set(world.starts().values()) == {1}
    all_there(world, expected)


def test_one_ctrl_c_checkpoints_and_the_next_run_goes_on(
    world: World, expected: dict[str, str]
) -> None:
    host = world.host()
    until(lambda: world.log()["step pool/0 2"] > 0)

    host.send_signal(signal.SIGINT)
    states = answer(host)

    assert host.returncode == 130
    assert states["pool/0"] == "interrupted"
    assert world.leaders() == []
    all_there(world, expected)
    assert world.log()["step pool/0 1"] == 1


def test_a_second_ctrl_c_kills_what_does_not_listen(world: World) -> None:
    world.script["pool/0"] = {"steps": 1000, "step_s": 0.02, "deaf": True}
    host = world.host()
    until(lambda: world.log()["step pool/0 2"] > 0)

    host.send_signal(signal.SIGINT)
    until(lambda: world.told("force=False") > 0)
    alive = world.leaders()
    host.send_signal(signal.SIGINT)
    host.communicate(timeout=PATIENCE_S)

    assert alive != []
    assert host.returncode == 130
    assert world.leaders() == []


def test_a_closed_terminal_leaves_the_jobs_to_the_next_run(
    world: World, expected: dict[str, str]
) -> None:
    world.script["pool/0"] = {"steps": STEPS, "step_s": 0.4}
    host = world.host()
    until(lambda: world.log()["step pool/0 1"] > 0)

    host.send_signal(signal.SIGHUP)
    host.communicate(timeout=PATIENCE_S)
    left = world.leaders()

    assert host.returncode == 130
    assert left != []
    all_there(world, expected)
    assert set(world.starts().values()) == {1}
    assert world.told("StageAdopted") > 0
