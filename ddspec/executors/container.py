"""From an order to the body of `POST /containers/create`: pure, so that it can be read and tested.

Nothing of the caller's environment gets in, and of the caller's files only what the job needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ddspec.canon import canonical
from ddspec.engine.facts import EngineFacts
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import JobOrder, Site, Terms
from ddspec.executors.ends import megabytes
from ddspec.executors.leases import GPUS_LABEL
from ddspec.executors.local import THREAD_VARIABLES
from ddspec.wire.job import Job
from ddspec.wire.work import CheckpointWork, ImportWork, PrepareWork

STORE = "org.ddspec.store"
HOME = "org.ddspec.home"
ATTEMPT = "org.ddspec.attempt"
STAGES = "org.ddspec.stages"
LABELS = "org.ddspec.labels"
BOOT = "org.ddspec.boot"
IMAGE = "org.ddspec.image"

GIB = 1 << 30
MEMORY_SHARE = 0.9
"""Of the engine's memory, for all jobs together; the rest is for the machine and for us."""
LEAST_OWN = 1 << 24
"""Bytes that must be left of a job's memory beside shared memory and /tmp."""
LEAST_MEMORY = 1 << 26
"""Bytes in which no runner starts: loading PyTorch alone takes several times as much."""
PIDS = 4096
"""Processes and threads of a job: a compiler starts one an inductor worker, torch many a core."""
STOP_S = 30
"""What an engine that is stopped gives a job to write its checkpoint."""
LOG_OPTIONS = {"max-size": "64m", "max-file": "4"}
CACHES: Mapping[str, str] = {
    "XDG_CACHE_HOME": "xdg",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
}
"""Variable to folder below /cache."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an order does not say and a container depends on."""

    facts: EngineFacts
    image: str
    """Id, not a name: another image may get the name between two stages."""
    pinned: str
    user: tuple[int, int]
    """User and group inside."""
    boot: str
    home: str
    """Real path of the store."""
    data: Path | None = None
    """Real path of the datasets; None where no stage reads any."""


@dataclass(frozen=True, slots=True)
class DockerRequest:
    """Everything about a job before it is started but its GPU, which is leased at that time."""

    attempt: str
    name: str
    root: Path
    body: Mapping[str, Any]
    """Body of `POST /containers/create`."""
    document: bytes
    inputs: tuple[Path, ...]
    written: tuple[Path, ...]
    """Folders that the job writes and that become its user's."""
    cache: Path | None
    data: Path | None
    user: tuple[int, int]
    job: Job


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes; `shm` and `tmp` count towards `memory`."""

    memory: int
    shm: int
    tmp: int


def sizes_of(terms: Terms, engine_memory: int) -> Sizes:
    """Divide memory among jobs; DdspecError (exit 2) where that leaves a job too little."""
    memory = terms.memory or int(MEMORY_SHARE * engine_memory / max(1, terms.jobs))
    tmp = min(GIB, memory // 8)
    shm = terms.shm or tmp
    if memory < LEAST_MEMORY:
        raise DdspecError(
            f"{megabytes(memory)} of memory is too little for a job, which needs far more than "
            f"{megabytes(LEAST_MEMORY)} to begin",
            exit=Exit.USAGE,
            hint="give more, such as `--memory 4g`"
            + ("" if terms.memory else ", or run fewer `--jobs`"),
        )
    if shm + tmp + LEAST_OWN > memory:
        raise DdspecError(
            f"{megabytes(shm)} of shared memory and {megabytes(tmp)} of /tmp do not fit into a "
            f"job's memory of {megabytes(memory)}",
            exit=Exit.USAGE,
            hint="both count towards it: give more with `--memory`, less with `--shm`, "
            "or run fewer `--jobs`",
        )
    return Sizes(memory, shm, tmp)


def user_of(facts: EngineFacts, caller: tuple[int, int], nobody: int = 65532) -> tuple[int, int]:
    """Return user and group of a job: the caller, but never a root that is root outside."""
    if facts.rootless:
        return 0, 0  # root inside is the caller outside
    return (nobody, nobody) if caller[0] == 0 else caller


def maps_users(facts: EngineFacts) -> bool:
    """Return whether it takes a trial to know who a user inside is outside."""
    return facts.rootless or facts.remapped or facts.product != "docker"


def request_of(
    order: JobOrder, site: Site, terms: Terms, ground: Ground, command: Sequence[str] | None
) -> DockerRequest:
    """Return the request of an order; `command` replaces the entry point of the image."""
    root = site.attempts / order.attempt
    inputs = {key: site.object(key) for key in order.inputs}
    scratch = {stage.key: site.scratch / stage.key for stage in order.document.stages}
    cache = None if site.cache is None else site.cache / _cache_name(ground.image, "cpu")
    mounts = [
        bind_mount(root / "job", "/job", writable=False),
        *(bind_mount(path, f"/inputs/{key}", writable=False) for key, path in inputs.items()),
        bind_mount(root / "output", "/output", writable=True),
        *(bind_mount(path, f"/scratch/{key}", writable=True) for key, path in scratch.items()),
        *([bind_mount(ground.data, "/data", writable=False)] if ground.data else ()),
        *([bind_mount(cache, "/cache", writable=True)] if cache else ()),
    ]
    job = order.document.model_copy(update={"image": ground.pinned})
    return DockerRequest(
        attempt=order.attempt,
        name=name_of(order.attempt),
        root=root,
        body=_body(order, site, ground, sizes_of(terms, ground.facts.memory), mounts, command),
        document=canonical(job.model_dump(mode="json")),
        inputs=tuple(inputs.values()),
        written=(root / "output", *scratch.values()),
        cache=cache,
        data=ground.data,
        user=ground.user,
        job=job,
    )


def on_gpu(
    request: DockerRequest, uuid: str, device: Mapping[str, Any], arch: str
) -> DockerRequest:
    """Return the request with one GPU handed on, and with the caches of its architecture."""
    body = json.loads(json.dumps(request.body))
    body["HostConfig"]["DeviceRequests"] = [dict(device)]
    body["Labels"][GPUS_LABEL] = uuid
    body["Env"] = [line for line in body["Env"] if not line.startswith("NVIDIA_")]
    body["Env"] += ["NVIDIA_DRIVER_CAPABILITIES=compute,utility"]
    if device.get("Driver") == "cdi":  # the runtime of NVIDIA must not add what its default is
        body["Env"] += ["NVIDIA_VISIBLE_DEVICES=void"]
    cache = request.cache
    if cache is not None:
        cache = cache.with_name(_cache_name(body["Image"], arch))
        for mount in body["HostConfig"]["Mounts"]:
            if mount["Target"] == "/cache":
                mount["Source"] = str(cache)
    return replace(request, body=body, cache=cache)


def name_of(attempt: str) -> str:
    """Return the name of an attempt's container; an engine has one of each name."""
    return f"ddspec-{attempt}"


def reads_data(job: Job) -> bool:
    """Return whether a job reads datasets or given weights, and not only outputs of others."""
    return any(
        isinstance(stage.work, PrepareWork | CheckpointWork | ImportWork) for stage in job.stages
    )


def _body(
    order: JobOrder,
    site: Site,
    ground: Ground,
    sizes: Sizes,
    mounts: Sequence[Mapping[str, Any]],
    command: Sequence[str] | None,
) -> dict[str, Any]:
    stages = order.document.stages
    body = {
        "Image": ground.image,
        "User": ":".join(map(str, ground.user)),
        "Env": [f"{name}={value}" for name, value in _environment(order, site).items()],
        "WorkingDir": "/tmp",
        "Hostname": "ddspec",
        "StopSignal": "SIGTERM",
        "StopTimeout": STOP_S,
        "Healthcheck": {"Test": ["NONE"]},
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "Labels": {
            STORE: site.store_id,
            HOME: ground.home,
            ATTEMPT: order.attempt,
            STAGES: ",".join(stage.key[:16] for stage in stages),
            LABELS: ",".join(stage.label for stage in stages),
            BOOT: ground.boot,
            IMAGE: ground.pinned,
        },
        "HostConfig": host_config(ground.facts, sizes, mounts),
    }
    return body if command is None else {**body, "Entrypoint": list(command), "Cmd": []}


def host_config(
    facts: EngineFacts, sizes: Sizes, mounts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return how a container is walled in: the same for jobs and for the trials of `doctor`."""
    return {
        "Mounts": list(mounts),
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", "label=disable"],
        "Init": True,
        "IpcMode": "private",
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "Memory": sizes.memory,
        # without it an engine allows as much swap again
        **({"MemorySwap": sizes.memory} if facts.swap_limit else {}),
        **({"PidsLimit": PIDS} if facts.pids_limit else {}),
        "ShmSize": sizes.shm,
        "Tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={sizes.tmp}"},
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "LogConfig": {"Type": "json-file", "Config": dict(LOG_OPTIONS)},
    }


def _environment(order: JobOrder, site: Site) -> dict[str, str]:
    cache = "/tmp/cache" if site.cache is None else "/cache"
    return {
        "HOME": "/tmp",
        "USER": "ddspec",
        "LOGNAME": "ddspec",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        **{name: f"{cache}/{folder}" for name, folder in CACHES.items()},
        "MPLCONFIGDIR": "/tmp/matplotlib",
        **dict.fromkeys(THREAD_VARIABLES, str(order.document.threads)),
        "PYTHONHASHSEED": "0",
        # bases for CUDA say `all`, which an engine with a GPU runtime by default would obey
        "NVIDIA_VISIBLE_DEVICES": "void",
    }


def bind_mount(source: Path, target: str, *, writable: bool) -> dict[str, Any]:
    """Return a mount of a folder that must exist."""
    return {
        "Type": "bind",
        "Source": str(source.absolute()),
        "Target": target,
        "ReadOnly": not writable,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _cache_name(image: str, arch: str) -> str:
    return f"{image.removeprefix('sha256:')[:12]}-{arch}"
