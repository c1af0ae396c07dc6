"""The small parent of a local job: says who it is, runs the command, writes its exit code down.

It is a shell because that starts in 1 ms. It leads a session of its own, so that neither a closed
terminal nor Ctrl-C there reaches the job, and ignores polite signals, so that a SIGTERM to the
whole group stops the runner and not the one who reports how the runner ended.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from ddspec.host import ProcessId, boot_id, host_name, parse_birth

HANDLE = "handle"
EXIT = "exit"
SEALED = b"sealed\n"
"""Content of a handle file that says: this attempt never started, and never will."""

SCRIPT = r"""
root=$1
machine=$2
shift 2
stop=
trap 'stop=1' TERM INT HUP
if [ -r "/proc/$$/stat" ]; then
    read -r birth < "/proc/$$/stat"
else
    birth=$(ps -o lstart= -p "$$")
fi
printf '%s\n%s\n%s\n' "$$" "$birth" "$machine" > "$root/.handle.$$" || exit 1
ln "$root/.handle.$$" "$root/handle" 2> /dev/null
started=$?
rm -f "$root/.handle.$$"
[ "$started" -eq 0 ] || exit 1
cd "$root" || exit 1
code=143
if [ -z "$stop" ]; then
    "$@"
    code=$?
fi
printf '%s\n' "$code" > "$root/.exit" && mv "$root/.exit" "$root/exit"
kill -KILL 0
"""
"""`ln` fails where another supervisor, or a seal, holds the attempt. What the runner left running
ends with the group, for the job is over when its exit code is written."""

KEPT = 3
"""Number in the job of a file that is kept open, or the next one: a file that is not moved closes
when a program starts."""

DEFAULT_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGPIPE,
)
"""A host under nohup, or in the background of a script, ignores some; a job must not inherit it."""


def start(
    root: Path, argv: Sequence[str], environment: Mapping[str, str], keep: int | None = None
) -> int:
    """Start a supervisor for the job in `root` and return its process number at once.

    All of the job has the file `keep` open, until its last process ends.
    """
    inherited = () if keep is None else ((os.POSIX_SPAWN_DUP2, keep, KEPT + (keep == KEPT)),)
    machine = f"{host_name()}\n{boot_id()}"
    write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", SCRIPT, "ddspec-job", str(root), machine, *argv],
        dict(environment),
        file_actions=[
            *inherited,
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(root / "stdout"), write, 0o666),
            (os.POSIX_SPAWN_OPEN, 2, str(root / "stderr"), write, 0o666),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=DEFAULT_SIGNALS,
    )


def read_leader(root: Path) -> ProcessId | None:
    """Return the supervisor of an attempt; None where none started, or the attempt is sealed.

    A living one signed whole: what cannot be read was lost when the machine went down.
    """
    try:
        content = (root / HANDLE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if content == SEALED:
        return None
    try:
        pid, birth, host, boot = content.decode(errors="replace").splitlines()
        return ProcessId(host, boot, int(pid), parse_birth(birth))
    except (ValueError, IndexError):
        return None


def read_exit(root: Path) -> int | None:
    """Return the exit code of the runner; None where nobody lived to write it."""
    try:
        return int((root / EXIT).read_text())
    except (OSError, ValueError):
        return None
