"""Where jobs go is settled from what a person says; contradictions are told before any work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_cli import Shell

from ddspec.cli.inputs import compile_spec
from ddspec.cli.options import Device
from ddspec.cli.place import Asked, Place, in_words, settle
from ddspec.engine import gpus
from ddspec.engine.gpus import Gpu
from ddspec.errors import DdspecError, Exit
from ddspec.executors.registry import EXECUTORS
from ddspec.plan.ir import Plan

GPUS = tuple(Gpu(str(i), f"GPU-{i}", "a", 2**30, "sm_90", "580.65.06") for i in range(3))


@pytest.fixture
def plan() -> Plan:
    return compile_spec(Path(__file__).parents[2] / "specs" / "digits.yaml").plan


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "host_gpus", lambda: GPUS)
    monkeypatch.setattr("ddspec.cli.surroundings.GPU_DRIVERS", (Path("/"),))
    monkeypatch.setattr("ddspec.cli.surroundings.NVIDIA", Path("/"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_every_executor_can_be_asked_for() -> None:
    assert {place.value for place in Place} == set(EXECUTORS)


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("123", 123),
        ("64k", 64 * 2**10),
        ("512m", 512 * 2**20),
        ("8g", 8 * 2**30),
        ("8 GiB", 8 * 2**30),
        ("1.5G", 3 * 2**29),
        ("1TB", 2**40),
    ],
)
def test_sizes_are_powers_of_1024(plan: Plan, said: str, size: int) -> None:
    asked = Asked(Place.DOCKER, Device.CPU, memory=said, shm=said)

    _, terms = settle(asked, plan, steal=False)

    assert (terms.memory, terms.shm) == (size, size)


@pytest.mark.parametrize("said", ["", "g", "-1g", "0", "8x", "8 gigs", "1e9", "0.0g", "\uff11g"])
def test_what_is_no_size_is_refused(plan: Plan, said: str) -> None:
    with pytest.raises(DdspecError, match="is no size") as raised:
        settle(Asked(Place.DOCKER, Device.CPU, memory=said), plan, steal=False)

    assert raised.value.exit is Exit.USAGE


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(device=Device.CPU, gpus="0"), "exclude each other"),
        (Asked(memory="1g"), "limit containers"),
        (Asked(shm="1g"), "limit containers"),
    ],
)
def test_contradictions_are_refused(plan: Plan, asked: Asked, message: str) -> None:
    with pytest.raises(DdspecError, match=message) as raised:
        settle(asked, plan, steal=False)

    assert raised.value.exit is Exit.USAGE


@pytest.mark.parametrize(
    ("said", "uuids", "jobs"),
    [
        pytest.param({"gpus": "0,2"}, ("GPU-0", "GPU-2"), 2, id="named: one job each"),
        pytest.param({"gpus": "all"}, ("GPU-0", "GPU-1", "GPU-2"), 3, id="all"),
        pytest.param({"gpus": "all", "jobs": 1}, ("GPU-0", "GPU-1", "GPU-2"), 1, id="jobs win"),
        pytest.param({}, ("GPU-0", "GPU-1", "GPU-2"), 1, id="unasked: one that is free"),
        pytest.param({"device": Device.CPU, "jobs": 2}, (), 2, id="none on the CPU"),
    ],
)
@pytest.mark.usefixtures("three_gpus")
def test_gpus_decide_how_many_jobs_run(
    plan: Plan, said: dict[str, Any], uuids: tuple[str, ...], jobs: int
) -> None:
    orders, terms = settle(Asked(Place.DOCKER, **said), plan, steal=False)

    assert (terms.gpus, terms.jobs, orders.jobs) == (uuids, jobs, jobs)


@pytest.mark.usefixtures("three_gpus")
def test_the_place_is_told_in_words(plan: Plan) -> None:
    asked = Asked(Place.DOCKER, gpus="0,1")

    words = in_words(asked, *settle(asked, plan, steal=False))

    assert words == "2 jobs at a time on GPUs (one of 2 each), in containers"


@pytest.mark.parametrize(
    ("together", "engine", "words"),
    [
        (False, None, "1 job at a time on the CPU"),
        (True, "ensemble", "1 job at a time on the CPU, judges together"),
    ],
    ids=["one by one", "together"],
)
def test_a_run_may_ask_for_an_ensemble(
    plan: Plan, together: bool, engine: str | None, words: str
) -> None:
    asked = Asked(device=Device.CPU, jobs=1, together=together)

    orders, terms = settle(asked, plan, steal=False)

    assert orders.engine == engine
    assert in_words(asked, orders, terms) == words


def test_gpus_that_cannot_be_had_are_told_by_the_option_that_was_given(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddspec.cli.surroundings.GPU_DRIVERS", ())

    with pytest.raises(DdspecError, match="`--gpus 0` cannot be had") as raised:
        settle(Asked(Place.DOCKER, gpus="0"), plan, steal=False)

    assert raised.value.exit is Exit.UNABLE


def test_a_run_that_finds_everything_in_the_store_needs_no_engine(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("run", "small.yaml", "--jobs", "2")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nobody/listens/here.sock")

    ended = shell("run", "small.yaml", "--executor", "docker")

    assert ended.code == 0
    assert "in containers" in ended.err
