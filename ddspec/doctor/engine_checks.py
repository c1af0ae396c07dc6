"""Whether the engine answers, what it can limit, and whether the image is there and ours."""

from __future__ import annotations

import os
from pathlib import Path

from ddspec.doctor.finding import Finding, amount, ok, problem, refused, unchecked, warning
from ddspec.doctor.patient import Patient
from ddspec.errors import DdspecError
from ddspec.executors.watching import listed

DISK_LEAST = 256 << 20
"""Bytes free at the engine. Jobs write to the store, but the engine keeps what one prints: up to so
much. Without any room it cannot even create a container."""
DISK_COMFORT = 12 << 30
"""Bytes free at the engine. A runner image with torch and CUDA is 6 to 10 GB while it is built."""


def check_engine(patient: Patient) -> Finding:
    """Return which engine answers, and as whom it runs; `container` shows whether that will do."""
    name = "engine"
    try:
        facts = patient.facts
    except DdspecError as error:
        return refused(name, error)
    kind = "rootless, " if facts.rootless else "with remapped users, " if facts.remapped else ""
    told = (
        f"{facts.product} {facts.version}, API {facts.api}, {kind}{facts.cpus} cores, "
        f"{amount(facts.memory)}, at {patient.engine.endpoint}"
    )
    return ok(name, told)


def check_limits(patient: Patient) -> Finding:
    """Return whether the engine can hold containers to their limits."""
    name = "limits"
    facts = patient.facts
    lacks = [
        what
        for there, what in (
            (facts.swap_limit, "swap"),
            (facts.pids_limit, "number of processes"),
        )
        if not there
    ]
    if lacks:
        return warning(
            name,
            f"the engine cannot limit {' and '.join(lacks)}: one job can take more than its share",
            "boot with `cgroup_enable=memory swapaccount=1`, or, for a rootless engine, with "
            "cgroup v2 and delegated controllers",
        )
    return ok(name, "memory, swap and number of processes can be limited")


def check_disk(patient: Patient) -> Finding:
    """Return whether the engine has room, where this machine can see its disk."""
    name = "engine disk"
    root = Path(patient.facts.root_dir)
    if patient.engine.socket is None:
        return unchecked(name, f"the engine at {patient.engine.endpoint} is another machine's")
    try:
        status = os.statvfs(root)
    except OSError:
        return unchecked(name, f"{root} cannot be seen from here")
    free = status.f_bavail * status.f_frsize
    text = f"{amount(free)} free in {root}"
    mend = "remove images that nobody needs: `docker image ls`, `docker image rm`"
    if free < DISK_LEAST:
        return problem(name, f"only {text}: jobs may fail there", mend)
    if free < DISK_COMFORT:
        return warning(name, f"{text}: too little to build the runner image", mend)
    return ok(name, text)


def check_leftovers(patient: Patient) -> Finding:
    """Return which containers of this store nobody waits for."""
    name = "leftovers"
    store = patient.store
    if store is None:
        return ok(name, "none")
    # claims are read after the containers: a run claims before it creates
    containers = listed(patient.engine, store.id, os.path.realpath(patient.home))
    claimed = {claim.attempt for claim in store.claims.all()}
    left = sorted(set(containers) - claimed)
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        return warning(
            name,
            f"ddspec-{left[0]}{more}: left by a run that was killed",
            "the next `ddspec run --executor docker` of this store removes them",
        )
    return ok(name, "no container of this store that nobody waits for")


def check_image(patient: Patient) -> Finding:
    """Return whether the runner image is there."""
    name = "image"
    try:
        image = patient.image
    except DdspecError as error:
        return refused(name, error)
    cuda = f"CUDA {image.cuda}" if image.cuda else "no CUDA"
    told = f"{image.reference}: torch {image.torch}, {cuda}, Python {image.python}"
    return ok(name, f"{told}, {amount(image.size)}")


def check_match(patient: Patient) -> Finding:
    """Return whether the image holds the runners that belong to this version."""
    from ddspec.engine.images import require_match

    name = "image source"
    try:
        require_match(patient.image)
    except DdspecError as error:
        return refused(name, error)
    return ok(name, "its runners are those of this installation")
