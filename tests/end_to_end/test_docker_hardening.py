"""What a job can see and do, told by a probe from inside its container."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_probe
import pytest
from fake_docker_host import MIB
from fake_plans import chain

pytestmark = pytest.mark.docker

SOURCE = Path(fake_probe.__file__)
HOST = SOURCE.with_name("fake_probe_host.py")
MEMORY, SHM = 192 * MIB, 8 * MIB
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "leaked",
    "HTTPS_PROXY": "http://leaked:3128",
    "https_proxy": "http://leaked:3128",
    "DDSPEC_DATA": "/leaked",
    "PYTHONPATH": os.pathsep.join(["/leaked", *filter(None, sys.path)]),
    "LD_PRELOAD": "",
    "DOCKER_HOST": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
}
PROXIES = {"proxies": {"default": {"httpProxy": "http://leaked:3128", "noProxy": "leaked"}}}
ENVIRONMENT = {
    *("PATH", "HOME", "USER", "LOGNAME", "HOSTNAME", "TMPDIR", "LANG"),
    *("XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH"),
    *("MPLCONFIGDIR", "PYTHONHASHSEED", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("OPENBLAS_NUM_THREADS", "LC_CTYPE", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"),
    *("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "GPG_KEY", "PYTHON_VERSION"),
}
"""All names that may be there; most of them are ours, the rest those of a base image."""
KEY = chain()[1].key or ""
INPUT = chain()[0].key or ""
WRITABLE = {"/output", f"/scratch/{KEY}", "/cache", "/tmp", "/dev/shm"}
CALLER = 12345
"""A user without a name on this machine."""
CONTAINER_USER = 65532
PYTHONS = (sys.executable, "/usr/bin/python3")
"""Interpreters that another user may be able to start; the first often lies in a closed home."""


class Report:
    """What the probe told, and the folders it left."""

    def __init__(self, plain: dict[str, Any], home: Path) -> None:
        self.told, self.home = plain, home

    def __getitem__(self, name: str) -> Any:
        return self.told[name]


def probed(home: Path, image: str, caller: tuple[str, ...] = (sys.executable,)) -> Report:
    """Run the probe as a job, in a process that holds secrets, and return what it told."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = {
            "home": str(home),
            "image": image,
            "memory": MEMORY,
            "shm": SHM,
            "ports": [str(listening.getsockname()[1])],
        }
        config = home.parent / "config"
        config.mkdir(exist_ok=True)
        config.chmod(0o755)
        (config / "config.json").write_text(json.dumps(PROXIES))
        ended = subprocess.run(
            [*caller, str(HOST), json.dumps(told)],
            capture_output=True,
            text=True,
            env={**SECRETS, **os.environ, "DOCKER_CONFIG": str(config), "HOME": str(config)},
            timeout=120,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return Report(json.loads(ended.stdout), home)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, runner_image: str) -> Report:
    folder = tmp_path_factory.mktemp("hardening")
    return probed(folder / "home", runner_image)


def test_a_job_is_nobody_with_no_way_up(report: Report) -> None:
    capabilities = {name: value for name, value in report["status"].items() if name[:3] == "Cap"}

    assert set(capabilities.values()) == {"0" * 16}
    assert report["status"]["NoNewPrivs"] == "1"
    assert report["status"]["Seccomp"] == "2"
    assert not report["becomes_root"]
    assert report["groups"] == []
    own = os.getuid() or CONTAINER_USER
    assert report["ids"][0] == own
    assert 0 not in report["ids"]


def test_a_job_has_no_network(report: Report) -> None:
    assert report["interfaces"] == ["lo"]
    assert report["answered"] == []


def test_a_job_writes_only_where_it_may(report: Report) -> None:
    folders = {place for place in report["writable_folders"] if not _below(place, WRITABLE)}
    files = {place for place in report["writable_files"] if not _below(place, WRITABLE)}

    assert folders <= {"/dev/mqueue"}  # the kernel's message queues, private to the container
    assert {place for place in files if not place.startswith("/proc/")} == set()
    assert set(report["writable_folders"]) >= WRITABLE


def test_what_a_job_reads_it_cannot_change(report: Report) -> None:
    mounts = report["mounts"]

    assert "ro" in mounts["/"]
    assert "ro" in mounts["/job"]
    assert "ro" in mounts[f"/inputs/{INPUT}"]
    assert {place for place in mounts if "rw" in mounts[place]} <= {
        *WRITABLE, "/dev", "/dev/pts", "/dev/mqueue", "/dev/console",
    }  # fmt: skip


def test_a_job_sees_its_own_inputs_and_no_more_of_the_host(report: Report) -> None:
    places = {place for place in report["mounts"] if not place.startswith("/dev")}

    assert report["inputs"] == [INPUT]
    assert places <= {
        *("/", "/job", "/output", "/cache", "/tmp", f"/scratch/{KEY}", f"/inputs/{INPUT}"),
        *("/etc/resolv.conf", "/etc/hostname", "/etc/hosts", "/sbin/docker-init"),
        "/usr/sbin/docker-init",
        *("/run/.containerenv", "/run/secrets"),
    }
    assert report["sockets"] == []
    assert report["disks"] == []
    assert report["processes"] <= 3


def test_nothing_of_the_callers_environment_gets_in(report: Report) -> None:
    environment = report["environment"]

    assert set(environment) <= ENVIRONMENT
    assert "leaked" not in json.dumps(environment)
    assert {environment[name].split("/")[1] for name in environment if name == "HOME"} == {"tmp"}


def test_limits_are_in_force(report: Report) -> None:
    limits = report["limits"]

    assert int(limits["memory"]) == MEMORY
    assert limits["swap"] in (str(MEMORY), "0", None)  # counted with memory, apart, or not at all
    assert report["room"] == report["written"] == {"/tmp": MEMORY // 8, "/dev/shm": SHM}
    assert report["started"] < int(limits["pids"]) < fake_probe.MANY
    assert report["core"] == [0, 0]


def test_programs_may_be_run_from_tmp_and_devices_not_used(report: Report) -> None:
    assert "noexec" not in report["mounts"]["/tmp"]
    assert {"nosuid", "nodev"} <= set(report["mounts"]["/tmp"])


def test_an_init_reaps_and_passes_signals_on(report: Report) -> None:
    assert report["pid"] != 1
    assert report["parent"] == 1
    assert Path(report["init"]).name in ("docker-init", "catatonit", "podman-init", "tini")


def test_lines_of_any_length_come_back_whole(report: Report) -> None:
    assert report["long"] == "x" * 100_000


def test_what_a_job_wrote_belongs_to_the_caller(report: Report) -> None:
    cache = report.home / "cache"  # what containers keep there is theirs, also of later ones
    paths = [path for path in report.home.rglob("*") if cache not in path.parents]
    left = list(report.home.glob("attempts/*/output/left/file"))

    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in paths} == {
        (os.getuid(), os.getgid())
    }
    assert len(left) == 1
    assert report["umask"] == 0o022


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that another user may use; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="ddspec-") as folder:
        os.chown(folder, CALLER, CALLER)
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_caller_who_is_not_root_is_the_user_inside(
    open_folder: Path, runner_image: str, engine_socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    group = engine_socket.stat().st_gid
    if not engine_socket.stat().st_mode & 0o020:
        pytest.skip("the engine's socket is open to nobody else")
    become = ("setpriv", f"--reuid={CALLER}", f"--regid={CALLER}", f"--groups={group}")
    python = next(filter(lambda python: _runs(python, become), PYTHONS), None)
    if python is None:
        pytest.skip("no interpreter here can be used, with our packages, by another user")

    # the socket may lie below a folder that is closed to others; its own rights stay what they are
    near = open_folder / "docker.sock"
    near.hardlink_to(engine_socket)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{near}")

    report = probed(open_folder / "home", runner_image, (*become, python))

    assert report["ids"] == [CALLER, CALLER]
    assert report["groups"] == []
    assert {path.lstat().st_uid for path in report.home.rglob("*")} == {CALLER}


def _runs(python: str, become: tuple[str, ...]) -> bool:
    """Return whether an interpreter can be started by another user and finds our packages."""
    command = [*become, python, "-c", "import ddspec, docker, pydantic"]
    environ = {**os.environ, **SECRETS}
    return subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 0


def _below(place: str, roots: set[str]) -> bool:
    return any(place == root or place.startswith(f"{root}/") for root in roots)
