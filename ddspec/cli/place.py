"""Where the jobs of a run go: which executor, which GPUs, how much memory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ddspec.cli.options import Device
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.executors.base import Terms
    from ddspec.plan.ir import Plan
    from ddspec.run.desk import Orders


class Place(StrEnum):
    """Where jobs run."""

    LOCAL = "local"
    DOCKER = "docker"


Where: TypeAlias = Annotated[
    Place,
    typer.Option(
        "--executor",
        envvar="DDSPEC_EXECUTOR",
        help="Run stages as processes of this machine, or in containers.",
    ),
]
Image: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--image",
        metavar="REF",
        envvar="DDSPEC_IMAGE",
        help="Runner image; by default the one that `ddspec image build` made.",
    ),
]
Gpus: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--gpus",
        metavar="LIST",
        help="GPUs to use, one a job: `0,1`, UUIDs or `all`; by default one that is free.",
    ),
]
Memory: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--memory", metavar="SIZE", help="Most memory of a container: `8g`; default a fair share."
    ),
]
Shm: TypeAlias = Annotated[
    str | None,
    typer.Option("--shm", metavar="SIZE", help="Shared memory of a container, part of --memory."),
]

Together: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--together/--one-by-one",
        envvar="DDSPEC_TOGETHER",
        help="Train networks that judge, where they differ in seed and set alone, in one stack.",
    ),
]

DEVICES = {"cpu": "the CPU", "cuda": "GPUs"}
POLL_S = {Place.LOCAL: 0.03, Place.DOCKER: 0.05}
"""Seconds between two looks; an engine has more to do for one than the system for a process."""

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person said of the place, as they said it."""

    executor: Place = Place.LOCAL
    device: Device = Device.AUTO
    jobs: int | None = None
    image: str | None = None
    gpus: str | None = None
    memory: str | None = None
    shm: str | None = None
    together: bool = False


def settle(asked: Asked, plan: Plan, *, steal: bool) -> tuple[Orders, Terms]:
    """Return how a run goes and what it may take of the place.

    Raises DdspecError: exit 2 for what contradicts itself, exit 6 for a GPU that is not there.
    """
    from ddspec.cli.surroundings import jobs_at_a_time, place_of
    from ddspec.executors.base import Terms
    from ddspec.run.desk import Orders

    _require_sense(asked)
    if asked.gpus is None:
        device = place_of(asked.device)
    else:
        device = place_of(Device.CUDA, f"--gpus {asked.gpus}")
    gpus = _uuids(asked.gpus) if device == "cuda" else ()
    if asked.jobs is not None:
        jobs = asked.jobs
    elif asked.gpus is not None:
        jobs = len(gpus)
    else:
        jobs = jobs_at_a_time(device, max(stage.threads for stage in plan))
    terms = Terms(
        image=asked.image,
        gpus=gpus,
        jobs=jobs,
        memory=_bytes("--memory", asked.memory),
        shm=_bytes("--shm", asked.shm),
    )
    orders = Orders(
        jobs=jobs,
        device=device,
        steal=steal,
        poll_s=POLL_S[asked.executor],
        engine="ensemble" if asked.together else None,
    )
    return orders, terms


def in_words(asked: Asked, orders: Orders, terms: Terms) -> str:
    """Return the place on part of a line: `2 jobs at a time on the CPU, in containers`."""
    jobs = "1 job" if orders.jobs == 1 else f"{orders.jobs} jobs"
    gpus = f" (one of {len(terms.gpus)} each)" if len(terms.gpus) > 1 else ""
    where = ", in containers" if asked.executor is Place.DOCKER else ""
    where += ", judges together" if asked.together else ""
    return f"{jobs} at a time on {DEVICES[orders.device]}{gpus}{where}"


def _require_sense(asked: Asked) -> None:
    if asked.gpus is not None and asked.device is Device.CPU:
        raise DdspecError("`--gpus` and `--device cpu` exclude each other", exit=Exit.USAGE)
    if asked.executor is Place.LOCAL and (asked.memory or asked.shm):
        raise DdspecError(
            "`--memory` and `--shm` limit containers, and this run has none",
            exit=Exit.USAGE,
            hint="add `--executor docker`; processes of this machine have no limit",
        )


def _uuids(wanted: str | None) -> tuple[str, ...]:
    from ddspec.engine.gpus import host_gpus, select

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(gpu.uuid for gpu in select(wanted, host_gpus(), visible=visible))


def _bytes(option: str, size: str | None) -> int | None:
    """Return a size in bytes: `512m`, `8g`, `1.5GiB`; units are powers of 1024."""
    if size is None:
        return None
    match = _SIZE.fullmatch(size.strip())
    if match is None or not float(match[1]):
        raise DdspecError(
            f"`{option} {size}` is no size", exit=Exit.USAGE, hint="such as `512m` or `8g`"
        )
    return int(float(match[1]) * _UNITS[match[2].lower()])
