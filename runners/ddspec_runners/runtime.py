"""Device, precision and determinism switches, and what a result says of its engine."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from pydantic import JsonValue

from ddspec.wire.job import Job
from ddspec.wire.work import Precision
from ddspec_runners.faults import BadJob


def settle(job: Job) -> torch.device:
    """Set the thread count and determinism of this process and return the job's device."""
    torch.set_num_threads(job.threads)
    if job.device == "cuda":
        if not torch.cuda.is_available():
            raise BadJob(
                "the job asks for CUDA, and torch finds none here; `--device cpu` does without"
            )
        return torch.device("cuda")
    torch.use_deterministic_algorithms(True)
    return torch.device("cpu")


@contextmanager
def precise(precision: Precision) -> Iterator[None]:
    """Allow TF32 inside matrix products and convolutions only where the work says so."""
    # torch replaces the module by an object that has `conv`, which its annotations do not tell
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    for switch in switches:
        switch.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


def dtype_of(precision: Precision) -> torch.dtype:
    """Return the storage type of tensors at a precision."""
    return torch.float64 if precision == "float64" else torch.float32


def engine(
    device: torch.device, threads: int, image: str = "", source: str = ""
) -> Mapping[str, JsonValue]:
    """Return versions and hardware: what may differ between two runs of one key."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "device": device.type,
        "device_name": torch.cuda.get_device_name() if device.type == "cuda" else "",
        "threads": threads,
        **({"image": image} if image else {}),
        **({"source": source} if source else {}),
    }
