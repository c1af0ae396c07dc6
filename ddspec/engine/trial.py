"""Running one command in an image, as walled in as a job is, to see whether it works there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ddspec.engine.connect import Engine
from ddspec.engine.faults import EngineRefused, translated

MEMORY = 4 * 2**30
TMP = 256 * 2**20
PIDS = 512
TIMEOUT_S = 300.0
"""The first import of torch from a cold disk takes a minute on some."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a command ended."""

    exit: int
    text: str
    """What it printed, to both streams."""


def try_command(
    engine: Engine,
    image: str,
    command: Sequence[str],
    *,
    user: str,
    devices: Sequence[dict[str, Any]] = (),
) -> Trial:
    """Run a command in a new container and return how it ended; the container is removed.

    Read-only root, no network, no capabilities, no privileges to gain; `/tmp` can be written.
    `devices` are device requests. A command that is not there gives exit 127. Raises `EngineGone`
    or `EngineRefused` where the engine cannot run containers.
    """
    api = engine.api
    with translated("create a container"):
        container = api.create_container_from_config(
            _body(image, command, user, devices), name=f"ddspec-trial-{uuid4().hex[:12]}"
        )["Id"]
    try:
        return _run(api, container)
    finally:
        with translated("remove a container"):
            api.remove_container(container, force=True, v=True)


def _run(api: Any, container: str) -> Trial:
    try:
        with translated("start a container"):
            api.start(container)
    except EngineRefused as error:
        if "executable file not found" in error.said or "no such file" in error.said:
            return Trial(127, error.said)
        raise
    with translated("wait for a container"):
        code = int(api.wait(container, timeout=TIMEOUT_S)["StatusCode"])
        text = api.logs(container, stdout=True, stderr=True).decode(errors="replace")
    return Trial(code, text)


def _body(
    image: str, command: Sequence[str], user: str, devices: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the body of the request that creates the container."""
    return {
        "Image": image,
        "Entrypoint": list(command),
        "Cmd": [],
        "User": user,
        "WorkingDir": "/",
        "NetworkDisabled": True,
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": PIDS,
            "Memory": MEMORY,
            "MemorySwap": MEMORY,
            "Tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={TMP}"},
            "Init": True,
            "DeviceRequests": list(devices),
            "LogConfig": {"Type": "json-file", "Config": {}},
        },
    }
