"""Reports, from inside a container, what a job can see and do; prints one JSON object.

Run there as `python3 -I -S -c SOURCE [PORT...]`: it imports nothing but the standard library. Each
PORT is tried on this host's own loopback address.
"""

import _thread
import contextlib
import json
import os
import resource
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

STATUS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
KERNEL = ("/proc", "/sys")
LIMITS = {
    "memory": ("memory/memory.limit_in_bytes", "memory.max"),
    "swap": ("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
    "pids": ("pids/pids.max", "pids.max"),
}
"""Where control groups of version 1 and 2 tell a limit; version 2 counts swap apart."""
MANY = 5000


def status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {name: fields[name].strip() for name in STATUS}


def mounts() -> dict[str, list[str]]:
    """Return mount point to type and options, kernel file systems left out."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        place, options = left.split()[4:6]
        if not place.startswith(KERNEL):
            found[place] = [right.split()[0], *options.split(",")]
    return found


def walked() -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if f"/{name}" not in KERNEL]
        yield folder, folders, files


def writable_folders() -> list[str]:
    found = []
    for folder, _, _ in walked():
        trial = Path(folder) / ".trial"
        with contextlib.suppress(OSError):
            trial.touch()
            trial.unlink()
            found.append(folder)
    return found


def writable_files() -> list[str]:
    """Return files, devices left out, that may be opened for writing; also in /proc/sys, /sys."""
    found = []
    places = [*walked(), *os.walk("/proc/sys"), *os.walk("/sys")]
    for folder, _, files in places:
        for name in files:
            path = Path(folder) / name
            with contextlib.suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode) and os.access(path, os.W_OK):
                    found.append(str(path))
    return found


def special(test: object) -> list[str]:
    found = []
    for folder, _, files in walked():
        for name in files:
            path = Path(folder) / name
            with contextlib.suppress(OSError):
                if test(path.lstat().st_mode):  # type: ignore[operator]
                    found.append(str(path))
    return found


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def answers(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=0.5):
        return True
    return False


def limit(name: str) -> str | None:
    for place in LIMITS[name]:
        path = Path("/sys/fs/cgroup") / place
        if path.exists():
            return path.read_text().strip()
    return None


def room(path: str) -> int:
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize


def written(path: str) -> int:
    """Return how many bytes go into a file before the file system refuses."""
    done = 0
    try:
        with Path(path).open("wb", buffering=0) as file:
            while True:
                done += file.write(bytes(1 << 20))
    except OSError:
        return done
    finally:
        Path(path).unlink(missing_ok=True)


def started() -> int:
    """Return how many more threads there can be, for which a kernel counts as it does processes."""
    _thread.stack_size(1 << 16)
    done = _thread.allocate_lock()
    done.acquire()
    count = 0
    try:
        while count < MANY:
            _thread.start_new_thread(done.acquire, ())
            count += 1
    except RuntimeError:
        pass
    return count


def becomes_root() -> bool:
    try:
        os.setuid(0)
    except OSError:
        return False
    return True


def main(ports: list[str]) -> None:
    output = Path("/output/left")
    output.mkdir()
    (output / "file").write_text("written inside")
    outside = [("192.0.2.1", 80), ("1.1.1.1", 53), ("169.254.169.254", 80)]
    local = [("127.0.0.1", int(port)) for port in ports]
    report = {
        "ids": [os.getuid(), os.getgid()],
        "groups": [group for group in os.getgroups() if group != os.getgid()],
        "umask": os.umask(0),
        "status": status(),
        "interfaces": names("/sys/class/net"),
        "answered": [address for address in outside + local if answers(address)],
        "mounts": mounts(),
        "writable_folders": writable_folders(),
        "writable_files": writable_files(),
        "sockets": special(stat.S_ISSOCK),
        "disks": special(stat.S_ISBLK),
        "inputs": names("/inputs"),
        "environment": dict(os.environ),
        "limits": {name: limit(name) for name in LIMITS},
        "room": {path: room(path) for path in ("/tmp", "/dev/shm")},
        "written": {path: written(f"{path}/trial") for path in ("/tmp", "/dev/shm")},
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "init": Path("/proc/1/cmdline").read_bytes().split(b"\0")[0].decode(),
        "parent": os.getppid(),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "processes": sum(name.isdigit() for name in names("/proc")),
        "becomes_root": becomes_root(),
        "long": "x" * 100_000,
        "started": started(),
    }
    print(json.dumps(report), flush=True)
    os._exit(0)  # the threads wait for ever


if __name__ == "__main__":
    main(sys.argv[1:])
