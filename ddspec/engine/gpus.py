"""The GPUs of this machine: which there are, which a person means, and how an engine hands them on.

GPUs go by UUID: an index changes with a restart, with the order that CUDA chooses, and inside a
container. Indices here are those of `nvidia-smi`, which counts along the bus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import JsonValue

from ddspec.engine.facts import EngineFacts
from ddspec.errors import DdspecError, Exit

ALL = "all"
CDI_KIND = "nvidia.com/gpu"
LEAST_DRIVERS: Mapping[int, tuple[int, ...]] = {
    12: (525, 60, 13),
    13: (580, 65, 6),
}
"""Major version of CUDA to the oldest driver on Linux that runs programs built with any minor one:
NVIDIA, CUDA Toolkit Release Notes, "Minimum Required Driver Version for CUDA Minor Version
Compatibility". Later drivers run earlier CUDA."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """What one job can be given: a GPU, or an instance of one that is split (MIG)."""

    index: str
    """`1`, or `1:0` for the first instance on it."""
    uuid: str
    """`GPU-...` or `MIG-...`."""
    name: str
    memory: int
    """Bytes."""
    arch: str
    """As compilers call it: `sm_90`."""
    driver: str
    """Version of the driver: `580.65.06`."""
    parent: str | None = None
    """UUID of the GPU that this is an instance of."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the driver told."""

    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    """None where no driver of NVIDIA is loaded."""
    problems: tuple[str, ...] = ()
    """One line each on what is there and cannot be used."""


class Nvml(Protocol):
    """What is asked of NVIDIA's management library; the module `pynvml` has it."""

    NVMLError: type[Exception]
    NVML_ERROR_LIBRARY_NOT_FOUND: int
    NVML_ERROR_DRIVER_NOT_LOADED: int
    NVML_ERROR_NOT_SUPPORTED: int
    NVML_ERROR_FUNCTION_NOT_FOUND: int
    NVML_ERROR_NOT_FOUND: int
    NVML_DEVICE_MIG_ENABLE: int

    def nvmlInit(self) -> None: ...  # noqa: D102
    def nvmlShutdown(self) -> None: ...  # noqa: D102
    def nvmlSystemGetDriverVersion(self) -> str: ...  # noqa: D102
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: D102
    def nvmlDeviceGetUUID(self, handle: Any) -> str: ...  # noqa: D102
    def nvmlDeviceGetName(self, handle: Any) -> str: ...  # noqa: D102
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...  # noqa: D102
    def nvmlDeviceGetCudaComputeCapability(self, handle: Any) -> Sequence[int]: ...  # noqa: D102
    def nvmlDeviceGetMigMode(self, device: Any) -> Sequence[int]: ...  # noqa: D102
    def nvmlDeviceGetMaxMigDeviceCount(self, device: Any) -> int: ...  # noqa: D102
    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Any, index: int) -> Any: ...  # noqa: D102


def host_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs of this machine that jobs can use; none without a driver."""
    return look().gpus


def look(nvml: Nvml | None = None) -> Found:
    """Ask the driver for its GPUs. One that is lost, or tells nothing, is left out and named."""
    if nvml is None:
        import pynvml

        nvml = pynvml
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        absent = (nvml.NVML_ERROR_LIBRARY_NOT_FOUND, nvml.NVML_ERROR_DRIVER_NOT_LOADED)
        if error.args[0] in absent:
            return Found()
        return Found(problems=(f"the driver of NVIDIA does not answer: {error}",))
    try:
        return _ask(nvml)
    except nvml.NVMLError as error:
        return Found(problems=(f"the driver of NVIDIA does not answer: {error}",))
    finally:
        nvml.nvmlShutdown()


def select(
    wanted: str | None, gpus: Sequence[Gpu], *, visible: str | None = None
) -> tuple[Gpu, ...]:
    """Return the GPUs that a person asks for, in that order.

    `wanted`: `all`, or indices, UUIDs and unambiguous beginnings of UUIDs, separated by commas; a
    split GPU stands for its instances. None asks for what there is, be it nothing. `visible`: the
    caller's CUDA_VISIBLE_DEVICES, which limits `all` and None. Raises DdspecError: exit 2 for what
    names no GPU on any machine, or one GPU twice, exit 6 for what is not there.
    """
    if wanted is None or wanted.strip() == ALL:
        seen = tuple(gpus) if visible is None else _visible(visible, gpus)
        if wanted is not None and not seen:
            raise _absent("no GPU can be used", gpus)
        return seen
    names = [name.strip() for name in wanted.split(",")]
    chosen = [gpu for name in names for gpu in _named(name, gpus)]
    twice = next((gpu for gpu in chosen if chosen.count(gpu) > 1), None)
    if twice is not None:
        raise DdspecError(
            f"`{wanted}` names the GPU {twice.index} twice",
            exit=Exit.USAGE,
            hint="a GPU takes one job at a time",
        )
    return tuple(chosen)


def device_request(uuid: str, facts: EngineFacts, gpus: Sequence[Gpu] = ()) -> dict[str, JsonValue]:
    """Return the entry of a container's `HostConfig.DeviceRequests` that hands on one GPU.

    Where the engine lists it as a CDI device, by UUID, or by the index it has among `gpus`, it is
    asked for by that name; else the runtime of NVIDIA is asked for it.
    """
    for device in (uuid, *(gpu.index for gpu in gpus if gpu.uuid == uuid)):
        name = f"{CDI_KIND}={device}"
        if name in facts.cdi:
            return {"Driver": "cdi", "DeviceIDs": [name]}
    return {"Driver": "", "DeviceIDs": [uuid], "Capabilities": [["gpu"]]}


def driver_runs(driver: str, cuda: str) -> bool:
    """Return whether a driver runs what was built with a version of CUDA.

    A CUDA later than `LEAST_DRIVERS` needs at least what the latest there needs.

    >>> driver_runs("570.86.10", "12.8"), driver_runs("570.86.10", "13.0")
    (True, False)
    """
    major = max(min(LEAST_DRIVERS), min(_numbers(cuda)[0], max(LEAST_DRIVERS)))
    return _numbers(driver) >= LEAST_DRIVERS[major]


def _ask(nvml: Nvml) -> Found:
    driver = nvml.nvmlSystemGetDriverVersion()
    gpus: list[Gpu] = []
    problems: list[str] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            gpus += _parts(nvml, index, driver)
        except nvml.NVMLError as error:
            problems.append(f"GPU {index} cannot be used: {error}")
    return Found(tuple(gpus), driver, tuple(problems))


def _parts(nvml: Nvml, index: int, driver: str) -> tuple[Gpu, ...]:
    """Return the GPU of an index, or its instances where it is split: then it takes no job."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    whole = Gpu(
        index=str(index),
        uuid=nvml.nvmlDeviceGetUUID(handle),
        name=nvml.nvmlDeviceGetName(handle),
        memory=int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
        arch=f"sm_{major}{minor}",
        driver=driver,
    )
    if not _is_split(nvml, handle):
        return (whole,)
    return tuple(
        Gpu(
            index=f"{index}:{number}",
            uuid=nvml.nvmlDeviceGetUUID(instance),
            name=f"{whole.name} MIG",
            memory=int(nvml.nvmlDeviceGetMemoryInfo(instance).total),
            arch=whole.arch,
            driver=driver,
            parent=whole.uuid,
        )
        for number, instance in _instances(nvml, handle)
    )


def _is_split(nvml: Nvml, handle: Any) -> bool:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError as error:  # most GPUs cannot be split, old drivers do not know of it
        if error.args[0] in (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND):
            return False
        raise
    return current == nvml.NVML_DEVICE_MIG_ENABLE


def _instances(nvml: Nvml, handle: Any) -> Iterator[tuple[int, Any]]:
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            yield number, nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except nvml.NVMLError as error:
            if error.args[0] != nvml.NVML_ERROR_NOT_FOUND:  # places may be empty, in any order
                raise


def _visible(listed: str, gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """Return what CUDA_VISIBLE_DEVICES leaves; as in CUDA, the list ends at what names nothing."""
    seen: list[Gpu] = []
    for name in listed.split(","):
        matches = _matches(name.strip(), gpus)
        if len(matches) != 1:
            break
        seen += [gpu for gpu in matches[0] if gpu not in seen]
    return tuple(seen)


def _named(name: str, gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """Return the GPU of a name, or the instances of a split one; raises as `select` says."""
    if not re.fullmatch(r"\d+(:\d+)?|(GPU|MIG)-[0-9a-zA-Z-]*", name):
        raise DdspecError(
            f"`{name}` names no GPU",
            exit=Exit.USAGE,
            hint="`all`, or indices and UUIDs with commas between them, such as `0,1`",
        )
    matches = _matches(name, gpus)
    if len(matches) > 1:
        raise DdspecError(
            f"`{name}` is the beginning of several UUIDs", exit=Exit.USAGE, hint=_listing(gpus)
        )
    if not matches:
        raise _absent(f"no GPU `{name}` can be used", gpus)
    return matches[0]


def _matches(name: str, gpus: Sequence[Gpu]) -> list[tuple[Gpu, ...]]:
    """Return, for each GPU that a name may mean, what stands for it."""
    known: dict[str, tuple[Gpu, ...]] = {}
    for gpu in gpus:
        whole = gpu.index.partition(":")[0]
        for key in {gpu.index, gpu.uuid, whole, gpu.parent or gpu.uuid}:
            known[key] = (*known.get(key, ()), gpu)
    if name in known:
        return [known[name]]
    if not name.startswith(("GPU-", "MIG-")):
        return []
    return [found for key, found in known.items() if key.startswith(name)]


def _absent(message: str, gpus: Sequence[Gpu]) -> DdspecError:
    return DdspecError(message, exit=Exit.UNABLE, hint=_listing(gpus))


def _listing(gpus: Sequence[Gpu]) -> str:
    if not gpus:
        return "the driver of NVIDIA lists none; see `ddspec doctor`"
    return "there are " + ", ".join(f"{gpu.index} ({gpu.name}, {gpu.uuid})" for gpu in gpus)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
