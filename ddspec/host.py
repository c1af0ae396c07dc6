"""Which machine this is, and which processes on it live: identities that survive a restart.

A number alone names no process: numbers are reused. The boot of the machine and the time at which
a process was born make it unique. Reads /proc, and asks `ps` where there is none.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
DEAD = frozenset("ZXx")
"""States of a process that has ended and is not yet reaped."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process on one machine, for all time."""

    host: str
    boot: str
    pid: int
    birth: str
    """When it was born, in the operating system's own words."""

    def here(self) -> bool:
        """Return whether this is a process of this machine, in whichever boot."""
        return self.host == host_name()

    def this_boot(self) -> bool:
        """Return whether it is of this machine and the machine was not restarted since."""
        return self.here() and self.boot == boot_id()

    def alive(self) -> bool:
        """Return whether the process itself still lives on this machine."""
        return self.this_boot() and birth_of(self.pid) == self.birth

    def group_alive(self) -> bool:
        """Return whether any process of the group that this one led still lives here.

        The number of a group is not given to a new process while the group has members, so a
        process of that number born at another time proves the group to be gone.
        """
        if not self.this_boot():
            return False
        birth = birth_of(self.pid)
        if birth is not None:
            return birth == self.birth
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return any(_members(self.pid))


def host_name() -> str:
    """Return the name of this machine."""
    return os.uname().nodename


@functools.cache
def boot_id() -> str:
    """Return what identifies the time since this machine was started."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _ps("-o", "lstart=", "-p", "1").strip()


def this_process() -> ProcessId:
    """Return the identity of the calling process."""
    return ProcessId(host_name(), boot_id(), os.getpid(), birth_of(os.getpid()) or "")


def birth_of(pid: int) -> str | None:
    """Return when a living process of this machine was born; None where there is no such one."""
    if not _has_proc():
        return birth_by_ps(pid)
    fields = _stat(pid)
    return None if fields is None or fields[0] in DEAD else birth_in(fields)


def birth_by_ps(pid: int) -> str | None:
    """Return what `birth_of` returns, to the second, where there is no /proc."""
    state, _, birth = _ps("-o", "stat=", "-o", "lstart=", "-p", str(pid)).strip().partition(" ")
    return " ".join(birth.split()) if state and state[0] not in DEAD else None


def parse_birth(line: str) -> str:
    """Return the birth in a line of /proc/PID/stat, or in what `ps -o lstart=` printed."""
    return birth_in(_fields(line)) if ")" in line else " ".join(line.split())


def birth_in(fields: list[str]) -> str:
    """Return the start time (field 22 of proc(5)) among the fields from the third on."""
    return fields[19]


def memory_of_groups() -> Mapping[int, int]:
    """Return the resident bytes of each group of processes here; empty where there is no /proc.

    What processes share is counted for each of them.
    """
    if not _has_proc():
        return {}
    page, found = os.sysconf("SC_PAGE_SIZE"), dict[int, int]()
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))) is not None:
            group = int(fields[2])
            found[group] = found.get(group, 0) + page * int(fields[21])
    return found


def _members(group: int) -> Iterator[int]:
    """Yield the living processes of a group."""
    if not _has_proc():
        yield from members_by_ps(group)
        return
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            fields = _stat(int(folder.name))
            if fields is not None and fields[0] not in DEAD and int(fields[2]) == group:
                yield int(folder.name)


def members_by_ps(group: int) -> Iterator[int]:
    """Yield the living processes of a group where there is no /proc."""
    for line in _ps("-A", "-o", "pid=", "-o", "pgid=", "-o", "stat=").splitlines():
        pid, number, state = line.split()[:3]
        if int(number) == group and state[0] not in DEAD:
            yield int(pid)


def _has_proc() -> bool:
    return (PROC / "self/stat").exists()


def _stat(pid: int) -> list[str] | None:
    try:
        return _fields((PROC / str(pid) / "stat").read_text(errors="replace"))
    except OSError:
        return None


def _fields(line: str) -> list[str]:
    """Return the fields from the third on: the second, a name, may hold blanks and brackets."""
    return line.rpartition(")")[2].split()


def _ps(*options: str) -> str:
    import subprocess  # only where there is no /proc: most runs never need it

    return subprocess.run(["ps", *options], capture_output=True, text=True, check=False).stdout
