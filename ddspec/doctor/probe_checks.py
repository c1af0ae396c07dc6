"""Whether a container starts, is held to its limits, and sees the store and the data."""

from __future__ import annotations

from ddspec.doctor.finding import Finding, amount, ok, problem, refused, warning
from ddspec.doctor.links import leaving_links
from ddspec.doctor.patient import Patient
from ddspec.doctor.probe import MEMORY, PIDS, SHARED, Told, probe, user_of
from ddspec.errors import DdspecError

ENGINE_MEND = "another security module, runtime or engine setting interferes: see the engine's log"


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
            "users are remapped, or the file system keeps out other users (root squash): use a "
            "local disk, and an engine without `userns-remap`",
        )
    loose = [what for held, what in _held(told, patient) if not held]
    if loose:
        return problem(name, f"a container is not held as asked: {', '.join(loose)}", ENGINE_MEND)
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
            f"{len(looked.leaving)} symbolic links such as {looked.leaving[0]} lead out of {root}, "
            "where a container sees nothing",
            "put the files themselves there, or name the folder that holds both",
        )
    walked = f"{looked.entries:,} files and folders" + (
        "" if looked.whole else " looked at in time"
    )
    return ok(name, f"readable in a container; {walked}, no link leads out")


def _held(told: Told, patient: Patient) -> tuple[tuple[bool, str], ...]:
    """Return what was asked of the engine, and whether it was so inside."""
    facts = patient.facts
    return (
        ((told.uid, told.gid) == user_of(patient), f"it runs as {told.uid}:{told.gid}"),
        (told.capabilities == 0, f"it has capabilities {told.capabilities:#x}"),
        (told.confined, "it may gain privileges"),
        (told.root_error is not None, "its root can be written"),
        (told.tmp_error is None, f"/tmp: {told.tmp_error}"),
        (not told.networks, f"it has network {told.networks}"),
        (told.socket is None, f"it sees {told.socket}"),
        (told.memory in (None, str(MEMORY)), f"its memory limit is {told.memory}"),
        (
            not facts.pids_limit or told.pids in (None, str(PIDS)),
            f"its limit of processes is {told.pids}",
        ),
        (told.shared == SHARED, f"it has {amount(told.shared)} shared memory"),
    )
