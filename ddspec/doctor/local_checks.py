"""Whether jobs can run as processes of this machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ddspec.doctor.finding import Finding, amount, ok, problem, unchecked, warning
from ddspec.doctor.patient import Patient

SHARED = Path("/dev/shm")
SHARED_LEAST = 256 << 20
"""Bytes. Containers get 64 MiB where nobody asks for more, and libraries die of it with SIGBUS."""


def check_runners(patient: Patient) -> Finding:
    """Return whether what computes is installed beside this program; torch is not imported."""
    from ddspec.executors.local import RUNTIME

    name = "runners"
    absent = [package for package in ("ddspec_runners", *RUNTIME) if find_spec(package) is None]
    if absent:
        return problem(
            name,
            f"not installed beside {sys.executable}: {', '.join(absent)}",
            "`pip install 'ddspec[runners]'`, or run in containers: `--executor docker`",
        )
    return ok(name, f"torch {_version('torch')}, Python {platform.python_version()}")


def check_shared_memory(patient: Patient) -> Finding:
    """Return whether processes of this machine can share memory."""
    name = "shared memory"
    if not SHARED.is_dir():
        return unchecked(name, f"no {SHARED} on this system")
    status = os.statvfs(SHARED)
    size = status.f_blocks * status.f_frsize
    if size < SHARED_LEAST:
        return warning(
            name,
            f"{SHARED} holds {amount(size)}",
            "give the container that this runs in more: `--shm-size 1g`",
        )
    return ok(name, f"{SHARED} holds {amount(size)}")


def check_gpus(patient: Patient) -> Finding:
    """Return which GPUs jobs may take."""
    name = "GPUs"
    found = patient.found
    if found.problems:
        verdict = problem if patient.gpus else warning
        return verdict(name, "; ".join(found.problems), "see `nvidia-smi` and the kernel's log")
    if not found.gpus and patient.gpus is None:
        return unchecked(name, "no driver of NVIDIA is loaded; stages compute on the CPU")
    chosen = patient.chosen
    told = ", ".join(f"{gpu.name} ({amount(gpu.memory)})" for gpu in chosen)
    return ok(name, f"{told}; driver {found.driver}" if chosen else "none is visible here")


def check_data(patient: Patient) -> Finding:
    """Return whether the data can be read by this user."""
    name = "data"
    root = patient.data
    if root is None:
        return unchecked(name, "no data directory given: `--data DIR` or DDSPEC_DATA")
    if not root.is_dir():
        return problem(name, f"{root} is not a folder", "name the one that holds the datasets")
    try:
        sets = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return problem(name, f"{root}: {reason}", f"let this user read it: `chmod -R a+rX {root}`")
    if not sets:
        return warning(name, f"{root} is empty", "`ddspec data fetch NAME` brings some datasets")
    return ok(name, f"{root}: {', '.join(sets[:4])}{' ..' if len(sets) > 4 else ''}")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # on the path, and not installed by a package manager
        return "of unknown version"
