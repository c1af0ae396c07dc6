"""Leases of GPUs on a real engine: who fights for one, and what reaches the runtime of NVIDIA."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_lessee
import pytest
from fake_lessee import create, import_sleep, remove

from ddspec.engine.connect import connect
from ddspec.engine.facts import read_facts
from ddspec.engine.gpus import device_request
from ddspec.errors import DdspecError
from ddspec.executors.base import NoRoom
from ddspec.executors.leases import lease

pytestmark = pytest.mark.docker
IMAGE = "ddspec-test-sleep:latest"
ROUNDS = 8
SCRIPT = Path(__file__).parents[2] / ".ci" / "engine"
HOOK = """#!/bin/sh
# Called before a container starts, with its state on stdin: keep what it would have been given.
state=$(cat)
bundle=$(printf '%s' "$state" | sed -n 's/.*"bundle":"\\([^"]*\\)".*/\\1/p')
cp "$bundle/config.json" "{folder}/${{bundle##*/}}.json"
"""


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    try:
        client = connect(os.environ).api
    except DdspecError as error:
        pytest.skip(str(error))
    import_sleep(client, IMAGE)
    yield client
    client.remove_image(IMAGE)
    client.close()


@pytest.mark.parametrize(("rivals", "gpus"), [(2, 1), (3, 2)])
def test_processes_that_fight_for_gpus_are_alone_with_them(
    tmp_path: Path, api: Any, rivals: int, gpus: int
) -> None:
    mark = uuid.uuid4().hex[:8]
    wanted = [f"GPU-test-{mark}-{number}" for number in range(gpus)]
    names = [f"ddspec-test-{mark}-{number}" for number in range(rivals)]
    fighters = [
        subprocess.Popen(
            [sys.executable, fake_lessee.__file__, IMAGE, name, str(ROUNDS), tmp_path, *wanted],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    waits = [fighter.communicate()[0] for fighter in fighters]
    left = api.containers(all=True, filters={"name": f"ddspec-test-{mark}"})
    for container in left:
        remove(api, container["Id"])

    assert [fighter.returncode for fighter in fighters] == [0] * rivals
    assert sum(map(int, waits)) > 0
    assert left == []


@pytest.fixture
def gpu_engine() -> Iterator[tuple[Any, Path]]:
    """An engine of our own, whose PATH has what makes it believe in GPUs; and what that wrote."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("no engine of our own can be started: no dockerd, or not root")
    with tempfile.TemporaryDirectory(prefix="ddspec-gpu-") as name:
        folder = Path(name)
        hook = folder / "bin" / "nvidia-container-runtime-hook"
        hook.parent.mkdir()
        hook.write_text(HOOK.format(folder=folder))
        hook.chmod(0o755)
        environ = {
            **os.environ,
            "PATH": f"{hook.parent}:{os.environ['PATH']}",
            "DDSPEC_TEST_ENGINE": str(folder / "engine"),
        }
        (folder / "engine").mkdir()
        try:
            if subprocess.run([SCRIPT, "start"], env=environ, check=False).returncode:
                pytest.skip("no engine of our own starts here")
            told = subprocess.run([SCRIPT, "host"], env=environ, check=True, stdout=subprocess.PIPE)
            client = fake_lessee.engine(told.stdout.decode().strip())
            import_sleep(client, IMAGE)
            yield client, folder
            client.close()
        finally:
            subprocess.run([SCRIPT, "erase"], env=environ, check=True)


def seen_by_the_runtime(folder: Path, container: str) -> list[str]:
    config = json.loads((folder / f"{container}.json").read_text())
    return [line for line in config["process"]["env"] if line.startswith("NVIDIA_VISIBLE")]


@pytest.mark.slow
def test_exactly_the_leased_gpu_reaches_the_runtime_of_nvidia(
    tmp_path: Path, gpu_engine: tuple[Any, Path]
) -> None:
    """Slow, for an engine starts and stops."""
    client, folder = gpu_engine
    facts = read_facts(client.info(), client.version())
    wanted = ("GPU-11111111-aaaa", "MIG-22222222-bbbb")

    def take(name: str) -> str:
        def make(gpu: str) -> str:
            request = device_request(gpu, facts)
            return create(client, IMAGE, name, gpu, device_requests=[request])

        container = lease(
            client, wanted, make, lambda lost: remove(client, lost), locks=tmp_path / "locks"
        )
        client.start(container)
        return container

    first, second = take("one"), take("two")
    with pytest.raises(NoRoom, match="GPU-11111111-aaaa by one, MIG-22222222-bbbb by two"):
        take("three")
    seen = [seen_by_the_runtime(folder, container) for container in (first, second)]
    remove(client, first)
    again = take("four")
    seen.append(seen_by_the_runtime(folder, again))
    left = client.containers(all=True)

    assert [container["Id"] for container in left] == [again, second]
    assert seen == [
        [f"NVIDIA_VISIBLE_DEVICES={uuid}"] for uuid in (wanted[0], wanted[1], wanted[0])
    ]
