"""A job that takes more than it was given ends with a message of its own; the next run goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_docker_host import MIB
from fake_harbour import Harbour, expected

pytestmark = pytest.mark.docker


@pytest.mark.parametrize(
    ("greed", "said"),
    [
        pytest.param("memory", "out of memory: the container's limit is", id="runner"),
        pytest.param("child", "a process of the job was killed for memory", id="its child"),
        pytest.param("shm", "shared memory", id="shared memory"),
    ],
)
def test_what_is_used_up_is_named_and_the_next_run_goes_on(
    harbour: Harbour, greed: str, said: str
) -> None:
    harbour.tell(plan="chain", memory=64 * MIB, shm=8 * MIB, orders={"retries": 0})
    harbour.behave("second", steps=2, greed=greed)

    ended = harbour.finish()
    harbour.tell(behaviours={"second": {"steps": 2}})
    again = harbour.finish()

    assert ended.code == 1, harbour.stderr()[-3000:]
    assert ended.states == {"first": "done", "second": "failed", "third": "blocked"}
    assert said in harbour.stderr()
    assert again.code == 0
    assert harbour.steps()["second", 1] == 1
    assert harbour.data() == expected(harbour.stages, {"second": 2})
    assert harbour.containers() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.getuid() != 0:
        pytest.skip("only root mounts a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", place], check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(
    harbour: Harbour, small_disk: Path
) -> None:
    harbour.tell(plan="chain", home=str(small_disk / "home"), behaviours={})
    first = harbour.finish()
    shutil.rmtree(harbour.store.layout.object(harbour.stages[2].key or ""))
    shutil.rmtree(harbour.store.layout.object(harbour.stages[1].key or ""))
    filler = small_disk / "filler"
    fill(filler)

    full = harbour.finish()
    filler.unlink()
    again = harbour.finish()

    assert first.code == 0
    assert full.code == 6, harbour.stderr()[-3000:]
    assert "disk full" in harbour.stderr()
    assert again.code == 0, harbour.stderr()[-3000:]
    assert harbour.data() == expected(harbour.stages, {})
    assert harbour.containers() == []


def test_a_job_that_fills_the_disk_ends_the_run_and_room_lets_it_go_on(
    harbour: Harbour, small_disk: Path
) -> None:
    harbour.tell(plan="chain", home=str(small_disk / "home"), behaviours={"second": {"fill": True}})

    full = harbour.finish()
    for filler in harbour.store.layout.scratch.glob("*/filler"):
        filler.unlink()
    harbour.tell(behaviours={})
    again = harbour.finish()

    assert full.code == 6, harbour.stderr()[-3000:]
    assert "disk full" in harbour.stderr()
    assert again.code == 0, harbour.stderr()[-3000:]
    assert harbour.data() == expected(harbour.stages, {})
    assert harbour.containers() == []


def test_a_store_that_turns_read_only_ends_the_run_and_the_next_one_goes_on(
    harbour: Harbour, small_disk: Path
) -> None:
    harbour.tell(
        plan="chain",
        home=str(small_disk / "home"),
        behaviours={"second": {"steps": 8, "step_s": 0.1}},
    )
    host = harbour.host()
    harbour.until(lambda: harbour.steps()["second", 2] > 0)

    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    ended = harbour.ended(host)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    again = harbour.finish()

    assert ended.code == 6, harbour.stderr()[-3000:]
    assert again.code == 0, harbour.stderr()[-3000:]
    assert harbour.data() == expected(harbour.stages, {"second": 8})
    assert harbour.containers() == []


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"0" * 4096):
                pass
        except OSError:
            return
