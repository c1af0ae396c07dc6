"""NVIDIA's management library, for machines of any shape: what `pynvml` has, over a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml

GIB = 1 << 30


@dataclass(frozen=True)
class Card:
    """One GPU, or one instance on it."""

    uuid: str
    name: str = "NVIDIA H100"
    memory: int = 80 * GIB
    capability: tuple[int, int] = (9, 0)
    split: bool | None = False
    """Whether it is split; None where the product cannot be."""
    instances: Mapping[int, Card] = field(default_factory=dict)
    error: int = 0
    """What asking for it ends in."""


@dataclass
class FakeNvml:
    """A driver that lists cards."""

    cards: tuple[Card, ...] = ()
    driver: str = "580.65.06"
    init_error: int = 0
    count_error: int = 0
    open: int = 0

    NVMLError: type[Exception] = pynvml.NVMLError
    NVML_ERROR_LIBRARY_NOT_FOUND: int = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    NVML_ERROR_DRIVER_NOT_LOADED: int = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    NVML_ERROR_NOT_SUPPORTED: int = pynvml.NVML_ERROR_NOT_SUPPORTED
    NVML_ERROR_FUNCTION_NOT_FOUND: int = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
    NVML_ERROR_NOT_FOUND: int = pynvml.NVML_ERROR_NOT_FOUND
    NVML_DEVICE_MIG_ENABLE: int = pynvml.NVML_DEVICE_MIG_ENABLE

    def nvmlInit(self) -> None:
        self._fail(self.init_error)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return self.driver

    def nvmlDeviceGetCount(self) -> int:
        self._fail(self.count_error)
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:
        self._fail(self.cards[index].error)
        return self.cards[index]

    def nvmlDeviceGetUUID(self, handle: Card) -> str:
        return handle.uuid

    def nvmlDeviceGetName(self, handle: Card) -> str:
        return handle.name

    def nvmlDeviceGetMemoryInfo(self, handle: Card) -> Any:
        return SimpleNamespace(total=handle.memory)

    def nvmlDeviceGetCudaComputeCapability(self, handle: Card) -> tuple[int, int]:
        return handle.capability

    def nvmlDeviceGetMigMode(self, device: Card) -> list[int]:
        if device.split is None:
            self._fail(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [int(bool(device.split)), int(bool(device.split))]

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Card) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Card, index: int) -> Card:
        if index not in device.instances:
            self._fail(pynvml.NVML_ERROR_NOT_FOUND)
        return device.instances[index]

    def _fail(self, code: int) -> None:
        if code:
            raise pynvml.NVMLError(code)
