"""Which file system a path lies on, and what its kind means for a store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afs", "ceph", "glusterfs"),
        *("lustre", "gpfs", "beegfs", "beegfs_nodev", "orangefs", "pvfs2", "fuse.sshfs"),
        *(
            "fuse.s3fs",
            "fuse.gcsfuse",
            "fuse.rclone",
            "fuse.glusterfs",
            "fuse.ceph",
            "fuse.juicefs",
        ),
    }
)
"""Types of file systems whose bytes are kept by another machine."""
PASSING = frozenset({"tmpfs", "ramfs", "devtmpfs"})
"""Types whose bytes are gone when the machine is restarted."""
LAYERED = frozenset({"overlay", "aufs", "fuse.fuse-overlayfs"})
"""Types that the root of a container has."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A mounted file system."""

    point: str
    kind: str
    """As the kernel calls it: `ext4`, `nfs4`, `fuse.sshfs`."""
    source: str
    read_only: bool


def mount_of(path: Path, mountinfo: str) -> Mounted | None:
    """Return the file system of an absolute path without symbolic links.

    `mountinfo` is the content of /proc/PID/mountinfo (proc(5)). Of mounts on one point the last is
    seen. None where it names none.
    """
    found: Mounted | None = None
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        fields, told = head.split(" "), tail.split(" ")
        if len(fields) < 6 or len(told) < 3:
            continue
        point = _plain(fields[4])
        if _within(str(path), point) and (found is None or len(point) >= len(found.point)):
            read_only = "ro" in fields[5].split(",") or "ro" in told[2].split(",")
            found = Mounted(point, told[0], _plain(told[1]), read_only)
    return found


def mounted(path: Path) -> Mounted | None:
    """Return the file system of an existing path; None where this machine has no mountinfo."""
    try:
        text = MOUNTINFO.read_text(errors="surrogateescape")
    except OSError:
        return None
    return mount_of(Path(os.path.realpath(path)), text)


def _within(path: str, point: str) -> bool:
    return point == "/" or path == point or path.startswith(f"{point}/")


def _plain(field: str) -> str:
    r"""Return a field with its escapes undone: `\040` is a space."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field
