"""Whether a folder will do as a store: tried with real files, not guessed from its type."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ddspec.disk import sync
from ddspec.doctor.finding import Finding, amount, ok, problem, refused, warning
from ddspec.doctor.mounts import LAYERED, NETWORK, PASSING, mounted
from ddspec.doctor.patient import Patient
from ddspec.errors import DdspecError

PREFIX = ".ddspec-doctor-"
LEFT_S = 600.0
"""Age of a folder that no living examination can still use."""
SILENT_S = 3600.0
"""Since the last heartbeat of a claim; a run renews it every few seconds."""

LEAST = 1 << 30
"""Bytes free. A stage writes a checkpoint beside the one before it, and results are published
after that: the largest of the shipped specs need some hundred MB of each at a time."""
COMFORT = 10 << 30
"""Bytes free. A pool of a hundred networks with the prepared images of a large dataset."""
FILES_LEAST = 10_000
"""Files that can still be made: an output is about five, an attempt ten, and runs have hundreds."""
ELSEWHERE = "name another place with `--home` or DDSPEC_HOME"


def check_store(patient: Patient) -> Finding:
    """Return whether the store can be opened and written, and on what it lies."""
    name = "store"
    try:
        store = patient.store
    except DdspecError as error:
        return refused(name, error)
    ground = patient.ground
    if not os.access(ground, os.W_OK | os.X_OK):
        return problem(name, f"{ground} cannot be written by this user", ELSEWHERE)
    new = "" if store else ", made by the first run"
    on = mounted(ground)
    if on is None:
        return ok(name, f"{patient.home}{new}")
    where = f"{patient.home} on {on.kind}{new}"
    if on.kind in NETWORK:
        return warning(
            name,
            f"{where}: kept by another machine ({on.source})",
            "locks and claims are only as good as that server keeps them, and every file waits "
            "for the network: a local disk is safer, or use the store from one host at a time",
        )
    if on.kind in PASSING:
        return warning(name, f"{where}: gone when the machine restarts", ELSEWHERE)
    if on.kind in LAYERED:
        return warning(
            name,
            f"{where}: inside a container, gone with it, and an engine outside does not see it",
            "mount a folder of the host at the same path",
        )
    return ok(name, where)


def check_file_system(patient: Patient) -> Finding:
    """Return whether hard links, locks, rename and fsync work where the store is."""
    name = "file system"
    ground = patient.ground
    _sweep(ground)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=ground))
    except OSError as error:
        return problem(name, f"nothing can be made in {ground}: {_why(error)}", ELSEWHERE)
    try:
        for what, attempt in ATTEMPTS.items():
            try:
                attempt(folder)
            except OSError as error:
                return problem(name, f"{ground} does not do {what}: {_why(error)}", ELSEWHERE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ok(name, "hard links, locks, symbolic links, rename and fsync work")


def check_space(patient: Patient) -> Finding:
    """Return whether there is room for outputs."""
    name = "disk space"
    status = os.statvfs(patient.ground)
    free, files = status.f_bavail * status.f_frsize, status.f_favail
    text = f"{amount(free)} free in {patient.ground}"
    mend = f"free some, or {ELSEWHERE}; finished stages are kept"
    if free < LEAST:
        return problem(name, f"only {text}", mend)
    if status.f_files and files < FILES_LEAST:
        return problem(name, f"only {files:,} more files can be made in {patient.ground}", mend)
    if free < COMFORT:
        return warning(name, f"{text}: little for a pool of networks", mend)
    return ok(name, text)


def check_clock(patient: Patient) -> Finding:
    """Return whether this boot has a name and the clock runs near the engine's."""
    from ddspec.host import boot_id

    name = "clock"
    if not boot_id():
        return problem(
            name,
            "this start of the machine has no name: jobs could be taken for those of another",
            "make /proc/sys/kernel/random/boot_id readable",
        )
    if time.time() < CLOCK_START:
        return warning(
            name, "the clock was never set", "set it: times of results and claims will be wrong"
        )
    return ok(name, "set; this start of the machine has a name")


CLOCK_START = 1_735_689_600.0
"""2025-01-01: before this program was written."""


def check_claims(patient: Patient) -> Finding:
    """Return whether anybody holds stages and will never come back."""
    name = "claims"
    store = patient.store
    if store is None:
        return ok(name, "none")
    try:
        claims = list(store.claims.all())
    except DdspecError as error:
        return refused(name, error)
    gone = [claim for claim in claims if claim.owner.here() and not claim.owner.alive()]
    away = [claim for claim in claims if not claim.owner.here() and _silent(patient, claim.key)]
    if away:
        hosts = ", ".join(sorted({claim.owner.host for claim in away}))
        return warning(
            name,
            f"{_many(len(away), 'stage')} held from {hosts}, silent for an hour",
            "`ddspec run --steal` takes them, if nothing runs there any more",
        )
    if gone:
        return ok(
            name, f"{_many(len(gone), 'stage')} of runs that are gone: the next goes on there"
        )
    return ok(name, f"{_many(len(claims), 'stage')} being worked on" if claims else "none")


def _silent(patient: Patient, key: str) -> bool:
    beat = patient.store.claims.heartbeat(key) if patient.store else None
    return beat is not None and time.time() - beat > SILENT_S


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _link(folder: Path) -> None:
    first, second = folder / "first", folder / "second"
    first.write_bytes(b"x")
    second.hardlink_to(first)
    with suppress(FileExistsError):
        second.hardlink_to(first)
        raise OSError("a name was given twice")


def _lock(folder: Path) -> None:
    path = folder / "lock"
    with path.open("w") as one, path.open("w") as other:
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise OSError("two hold one lock")


def _symbolic(folder: Path) -> None:
    (folder / "pointer").symlink_to(folder)


def _rename(folder: Path) -> None:
    (folder / "made").mkdir()
    (folder / "made").rename(folder / "moved")
    (folder / "new").write_bytes(b"new")
    (folder / "old").write_bytes(b"old")
    (folder / "new").replace(folder / "old")
    if (folder / "old").read_bytes() != b"new":
        raise OSError("the old content stayed")


def _sync(folder: Path) -> None:
    path = folder / "synced"
    path.write_bytes(b"x")
    sync(path)
    sync(folder)


ATTEMPTS: dict[str, Callable[[Path], None]] = {
    "hard links": _link,
    "locks": _lock,
    "symbolic links": _symbolic,
    "rename": _rename,
    "fsync": _sync,
}
"""What the store relies on."""


def _sweep(ground: Path) -> None:
    """Remove what a killed examination left."""
    for folder in _left(ground):
        shutil.rmtree(folder, ignore_errors=True)


def _left(ground: Path) -> Iterator[Path]:
    for folder in ground.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.lstat().st_mtime > LEFT_S:
                yield folder


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
