"""What an engine says of itself, as far as it decides how jobs are started on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddspec.engine.connect import Engine
from ddspec.engine.faults import EngineGone, translated


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """One engine."""

    id: str
    name: str
    """Of the machine that it runs on."""
    product: str
    """`docker` or `podman`."""
    version: str
    api: str
    rootless: bool
    """Root inside a container is whoever runs the engine."""
    remapped: bool
    """Users inside containers are others outside (`userns-remap`)."""
    memory: int
    """Bytes of the machine."""
    cpus: int
    root_dir: str
    """Where it keeps images and containers."""
    cdi: tuple[str, ...]
    """Devices that it can hand to containers by their CDI names, such as `nvidia.com/gpu=0`."""
    runtimes: tuple[str, ...]
    live_restore: bool
    """Whether containers go on when the engine stops."""
    swap_limit: bool
    pids_limit: bool
    init: bool
    """Whether it has a small init process for containers."""
    security: tuple[str, ...]
    """Security options, such as `seccomp` and `selinux`."""
    os: str
    machine: str
    """Architecture, such as `x86_64`."""


def facts_of(engine: Engine) -> EngineFacts:
    """Ask an engine about itself; raises `EngineGone` or `EngineRefused`."""
    with translated("tell about itself"):
        info, version = engine.api.info(), engine.api.version()
    try:
        return read_facts(info, version)
    except (AttributeError, TypeError, ValueError) as error:
        raise EngineGone(f"what answers at {engine.endpoint} is no container engine") from error


def read_facts(info: Mapping[str, Any], version: Mapping[str, Any]) -> EngineFacts:
    """Read what `/info` and `/version` answered; what is not there is taken to be absent."""
    options = tuple(_option(text) for text in info.get("SecurityOptions") or ())
    parts = [str(part.get("Name", "")) for part in version.get("Components") or ()]
    podman = any("podman" in name.lower() for name in parts)
    return EngineFacts(
        id=_identity(info, podman=podman),
        name=str(info.get("Name") or ""),
        product="podman" if podman else "docker",
        version=str(version.get("Version") or ""),
        api=str(version.get("ApiVersion") or ""),
        rootless="rootless" in options,
        remapped="userns" in options,
        memory=int(info.get("MemTotal") or 0),
        cpus=int(info.get("NCPU") or 1),
        root_dir=str(info.get("DockerRootDir") or ""),
        cdi=tuple(
            str(device.get("ID"))
            for device in info.get("DiscoveredDevices") or ()
            if device.get("Source") == "cdi"
        ),
        runtimes=tuple(sorted(info.get("Runtimes") or ())),
        live_restore=bool(info.get("LiveRestoreEnabled")),
        swap_limit=bool(info.get("SwapLimit")),
        pids_limit=bool(info.get("PidsLimit")),
        init=podman or bool(info.get("InitBinary")),
        security=options,
        os=str(info.get("OperatingSystem") or ""),
        machine=str(info.get("Architecture") or ""),
    )


def _identity(info: Mapping[str, Any], *, podman: bool) -> str:
    """Return what names this engine for all time; Podman draws a new id for every question."""
    if podman or not info.get("ID"):
        return f"{info.get('Name')}:{info.get('DockerRootDir')}"
    return str(info["ID"])


def _option(text: str) -> str:
    """Return the name in `name=seccomp,profile=default`."""
    return text.partition(",")[0].removeprefix("name=")
