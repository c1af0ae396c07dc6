"""Whether a container starts, is held to its limits, and sees the store and the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ddspec.doctor.finding import Finding, amount, ok, problem, refused, warning
from ddspec.doctor.links import leaving_links
from ddspec.doctor.patient import Patient
from ddspec.doctor.probe import SIZES, Told, probe, whom
from ddspec.errors import DdspecError
from ddspec.executors.container import PIDS
from ddspec.executors.mounted_data import data_root

OTHER_RULES = "another runtime, security module or setting of the engine interferes: see its log"
STRANGERS = (
    "the engine is another user's, or remaps users, or the file system keeps other users out (root "
    "squash): use an engine of your own without `userns-remap`, and a local disk"
)
NO_LIMITS = (
    "a rootless engine needs cgroup v2 with delegated controllers; without limits one job can "
    "take what others need"
)


def check_container(patient: Patient) -> Finding:
    """Return whether a hardened container starts and everything asked for is in force."""
    name = "container"
    try:
        told = probe(patient)
    except DdspecError as error:
        return refused(name, error)
    if told.folder_error is not None:
        return problem(
            name,
            f"user {told.uid} of a container cannot write to {patient.ground}: {told.folder_error}",
            STRANGERS,
        )
    loose = [what for held, what in _walls(told, patient) if not held]
    if loose:
        return problem(name, f"a container is not walled in: {', '.join(loose)}", OTHER_RULES)
    free = [what for held, what in _limits(told, patient) if not held]
    if free:
        return warning(name, f"a container runs, but {', '.join(free)}", NO_LIMITS)
    return ok(
        name,
        f"user {told.uid}, read-only root, no network, no capabilities, limits in force, "
        f"{amount(told.shared)} shared memory as asked",
    )


def check_data(patient: Patient) -> Finding:
    """Return whether containers can read the data, and whether links lead out of them."""
    name = "data inside"
    root = patient.data
    if root is None:
        raise ValueError("the check of the data directory comes before")
    try:
        data_root(root, home=patient.home, socket=patient.engine.socket)
        told = probe(patient, data=root)
    except DdspecError as error:
        return refused(name, error)
    if told.data_error is not None:
        return problem(
            name,
            f"user {told.uid} of a container cannot read {told.data_error}",
            f"let others read the data: `chmod -R a+rX {root}`",
        )
    looked = leaving_links(root)
    if looked.leaving:
        return warning(
            name,
            f"{_links(looked.leaving)} out of {root}, where a container sees nothing",
            "put the files themselves there, or link them relatively within the folder",
        )
    walked = f"{looked.entries:,} files and folders" + (
        "" if looked.whole else " looked at in time"
    )
    return ok(name, f"readable in a container; {walked}, no link leads out")


def _links(paths: Sequence[Path]) -> str:
    """Return the beginning of a sentence about links."""
    if len(paths) == 1:
        return f"the symbolic link {paths[0]} leads"
    return f"{len(paths):,} symbolic links such as {paths[0]} lead"


def _walls(told: Told, patient: Patient) -> tuple[tuple[bool, str], ...]:
    """Return what keeps a job in, and whether it was so inside."""
    return (
        ((told.uid, told.gid) == whom(patient), f"it runs as {told.uid}:{told.gid}"),
        (told.capabilities == 0, f"it has capabilities {told.capabilities:#x}"),
        (told.confined, "it may gain privileges"),
        (told.root_error is not None, "its root can be written"),
        (told.tmp_error is None, f"/tmp: {told.tmp_error}"),
        (not told.networks, f"it has network {told.networks}"),
        (told.socket is None, f"it sees {told.socket}"),
    )


def _limits(told: Told, patient: Patient) -> tuple[tuple[bool, str], ...]:
    """Return what keeps a job to its share, and whether it was so inside."""
    return (
        (told.memory in (None, str(SIZES.memory)), "its memory is not limited"),
        (
            not patient.facts.pids_limit or told.pids in (None, str(PIDS)),
            "its number of processes is not limited",
        ),
        (told.shared == SIZES.shm, f"it has {amount(told.shared)} of shared memory"),
    )
