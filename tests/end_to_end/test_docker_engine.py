"""The engine itself is killed, stopped and started again, with runs at work and between them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_harbour import PATIENCE_S, STEPS, Harbour, expected
from fake_plans import diamond

pytestmark = [pytest.mark.docker, pytest.mark.slow]  # an engine takes seconds to start

SCRIPT = Path(__file__).parents[2] / ".ci/engine"
ALL_STEPS = {stage.label: STEPS for stage in diamond()}
LIVE = "--live-restore"
WHERE_FROM = "the engine is not ours to kill: DDSPEC_TEST_ENGINE is not set; see `.ci/engine`"


@dataclass(frozen=True, slots=True)
class Power:
    """The switch of the engine under test."""

    api: Any
    mode: tuple[str, ...] = ()

    def __call__(self, command: str) -> None:
        mode = self.mode if command == "start" else ()
        subprocess.run([SCRIPT, command, *mode], check=True, timeout=PATIENCE_S)

    def kill_containerd(self) -> None:
        told = subprocess.run(
            [SCRIPT, "pid", "containerd"], check=True, capture_output=True, text=True
        )
        os.kill(int(told.stdout), signal.SIGKILL)


@pytest.fixture(params=[pytest.param((), id="plain"), pytest.param((LIVE,), id="live-restore")])
def power(request: pytest.FixtureRequest, engine_api: Any) -> Iterator[Power]:
    if "DDSPEC_TEST_ENGINE" not in os.environ:
        pytest.skip(WHERE_FROM)
    made = Power(engine_api, request.param)
    made("start")
    yield made
    made("start")


def all_there(harbour: Harbour) -> None:
    ended = harbour.finish()
    assert ended.code == 0, harbour.stderr()[-3000:]
    assert harbour.data() == expected(harbour.stages, ALL_STEPS)
    assert harbour.containers() == []
    assert list(harbour.store.claims.keys()) == []


def slow(harbour: Harbour) -> None:
    for stage in harbour.stages:
        harbour.behave(stage.label, step_s=0.15)


def at_work(harbour: Harbour) -> subprocess.Popen[str]:
    """Start a host, and return when containers of its pool are at work."""
    slow(harbour)
    host = harbour.host()
    harbour.until(lambda: harbour.steps()["pool/0", 1] > 0 or host.poll() is not None)
    assert host.poll() is None, harbour.stderr()[-3000:]
    return host


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_run_outlives_an_engine_that_comes_back(harbour: Harbour, power: Power, how: str) -> None:
    host = at_work(harbour)

    power(how)
    harbour.until(lambda: harbour.said("PlaceSilent") > 0)
    power("start")
    ended = harbour.ended(host)

    assert ended.code == 0, harbour.stderr()[-3000:]
    assert harbour.said("PlaceBack") > 0
    assert harbour.doubled() <= 2
    all_there(harbour)


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_run_ends_when_the_engine_stays_away_and_the_next_one_goes_on(
    harbour: Harbour, power: Power, how: str
) -> None:
    harbour.tell(orders={"patience_s": 1.0})
    host = at_work(harbour)

    power(how)
    ended = harbour.ended(host)
    refused = harbour.finish()
    power("start")

    assert (ended.code, refused.code) == (6, 6), harbour.stderr()[-3000:]
    assert "once it answers, run again" in harbour.stderr()
    harbour.tell(orders={})
    all_there(harbour)
    assert harbour.doubled() <= 2


def test_engine_and_host_killed_at_once(harbour: Harbour, power: Power) -> None:
    host = at_work(harbour)

    host.kill()
    power("kill")
    harbour.ended(host)
    power("start")

    all_there(harbour)
    assert harbour.doubled() <= 2


@pytest.mark.parametrize("power", [(LIVE,)], indirect=True, ids=["live-restore"])
def test_containers_that_live_through_a_killed_engine_are_adopted(
    harbour: Harbour, power: Power
) -> None:
    host = at_work(harbour)

    host.kill()
    power("kill")
    harbour.ended(host)
    power("start")

    all_there(harbour)
    assert set(harbour.starts().values()) == {1}
    assert harbour.said("StageAdopted") > 0


def test_a_run_outlives_a_killed_containerd(harbour: Harbour, power: Power) -> None:
    host = at_work(harbour)

    power.kill_containerd()
    # a container that ends while nobody looks runs for ever in the engine's eyes, until it restarts
    power("stop")
    power("start")
    ended = harbour.ended(host)

    assert ended.code == 0, harbour.stderr()[-3000:]
    all_there(harbour)
    assert harbour.doubled() <= 2


def test_ctrl_c_ends_a_run_whose_engine_is_gone(harbour: Harbour, power: Power) -> None:
    host = at_work(harbour)

    power("kill")
    harbour.until(lambda: harbour.said("PlaceSilent") > 0)
    host.send_signal(signal.SIGINT)
    harbour.until(lambda: harbour.said("StopRequested") > 0)
    host.send_signal(signal.SIGINT)
    ended = harbour.ended(host)
    power("start")

    assert ended.code in (6, 130), harbour.stderr()[-3000:]
    all_there(harbour)
