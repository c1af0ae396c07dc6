"""What a container finds out about itself; its source is sent there, so it imports no other module.

The paths are those that `ddspec.doctor.probe` binds.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TypeAlias

Plain: TypeAlias = "str | int | bool | None"

FOLDER = Path("/output")
DATA = Path("/data")
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
PIDS = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")
SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock")


def look() -> dict[str, Plain]:
    """Return what this process is, may do, and sees."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    shared = os.statvfs("/dev/shm")
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "capabilities": int(status["CapEff"], 16) | int(status["CapPrm"], 16),
        "confined": status.get("NoNewPrivs", "0").strip() == "1",
        "root_error": _writing(Path("/.ddspec-doctor")),
        "tmp_error": _writing(Path("/tmp/.ddspec-doctor")),
        "folder_error": _writing(FOLDER / "written"),
        "data_error": _reading(DATA) if DATA.exists() else None,
        "networks": ",".join(sorted(set(os.listdir("/sys/class/net")) - {"lo"})),  # noqa: PTH208
        "socket": next((path for path in SOCKETS if Path(path).exists()), None),
        "memory": _first(LIMITS),
        "pids": _first(PIDS),
        "shared": shared.f_blocks * shared.f_frsize,
        "nvidia": any(name.startswith("nvidia") for name in os.listdir("/dev")),  # noqa: PTH208
    }


def _writing(path: Path) -> str | None:
    try:
        path.write_text("written")
    except OSError as error:
        return os.strerror(error.errno or 0).lower()
    return None


def _reading(root: Path) -> str | None:
    """Return why a folder, or the first of its folders and files, cannot be read."""
    try:
        for folder, _, files in os.walk(root, onerror=_raise):
            for name in files[:1]:
                with (Path(folder) / name).open("rb") as file:
                    file.read(1)
                return None
    except OSError as error:
        return f"{error.filename}: {os.strerror(error.errno or 0).lower()}"
    return None


def _raise(error: OSError) -> None:
    raise error


def _first(paths: tuple[str, ...]) -> str | None:
    return next((Path(path).read_text().strip() for path in paths if Path(path).exists()), None)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look()) + "\n")
