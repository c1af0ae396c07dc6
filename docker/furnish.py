"""Furnish the environment of the runner image; runs inside the build, with the base's Python.

    python3 furnish.py libraries     what requirements.txt locks
    python3 furnish.py packages      ddspec and ddspec_runners, from the wheel

Two runs leave the same bytes: no cache, no clock, no order that depends on the machine.
"""

from __future__ import annotations

import compileall
import multiprocessing
import os
import subprocess
import sys
import venv
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from py_compile import PycInvalidationMode

BUILD = Path("/build")
ROOT = Path("/opt/ddspec")
TREE = Path("/tree")
"""What the image copies onto its root: a builder keeps the times of what lies below a folder that
it copies, and not that of the folder itself."""
OLDEST = (3, 11)

EPOCH = 315_532_800
"""1980-01-01, the first day that a zip archive can hold: the time of every file."""

LEFT_OUT = frozenset(f"PIP_{name}" for name in ("CONSTRAINT", "TARGET", "PREFIX", "ROOT", "USER"))
"""What some base images set for their own installations, and what would move or bend ours."""


def main() -> None:
    """Make the environment, install one half of its contents, compile it, and take off the time."""
    if sys.version_info < OLDEST:
        raise SystemExit(f"the base image has Python {sys.version.split()[0]}, and 3.11 is needed")
    os.umask(0o022)
    venv.create(ROOT, symlinks=True, with_pip=False)
    install(*SOURCES[sys.argv[1]]())
    compile_all()
    settled = TREE / ROOT.relative_to("/")
    settled.parent.mkdir(parents=True)
    settle(ROOT.rename(settled).parent)


def libraries() -> list[str]:
    """Return pip's arguments for the locked libraries: from the folder of wheels if it has any."""
    wheels = BUILD / "wheels"
    origin = ["--no-index", "--find-links", str(wheels)] if any(wheels.iterdir()) else []
    return [*origin, "--require-hashes", "--requirement", str(BUILD / "requirements.txt")]


def packages() -> list[str]:
    """Return pip's arguments for our own wheel; by name, else pip notes the path it came from."""
    return ["--no-index", "--no-deps", "--find-links", str(BUILD / "packages"), "ddspec"]


SOURCES = {"libraries": libraries, "packages": packages}


def install(*what: str) -> None:
    """Install into the environment with the pip of the base image; ours has none."""
    python = ROOT / "bin/python"
    quiet = ("--no-cache-dir", "--no-compile", "--no-input", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", *quiet]
    command += ["--progress-bar", "off", "--only-binary", ":all:", *what]
    code = subprocess.run(command, env=pip_environment(), check=False).returncode
    if code:
        raise SystemExit(code)  # pip has said why


def pip_environment() -> dict[str, str]:
    """Return the environment of pip, with the caller's pip.conf and CA bundle where given."""
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    settings = {"PIP_CONFIG_FILE": "pip.conf", "PIP_CERT": "ca.pem"}
    found = {name: BUILD / "settings" / file for name, file in settings.items()}
    return kept | {name: str(path) for name, path in found.items() if path.exists()}


def compile_all() -> None:
    """Write the bytecode of every module, valid whatever the time of its source says.

    One new process each for every folder and module: what `marshal` writes depends on which
    constants the process has met before.
    """
    os.environ |= {"PYTHONHASHSEED": "0"}
    fresh = multiprocessing.get_context("spawn")
    sites = ROOT.glob("lib/python*/site-packages")
    entries = sorted(path for site in sites for path in site.iterdir())
    with ProcessPoolExecutor(mp_context=fresh, max_tasks_per_child=1) as pool:
        list(pool.map(compile_one, entries))


def compile_one(entry: Path) -> None:
    """Compile one module, or all of one folder; a template that is no Python stays as it is."""
    how = PycInvalidationMode.UNCHECKED_HASH
    if entry.is_dir():
        compileall.compile_dir(entry, maxlevels=50, quiet=2, force=True, invalidation_mode=how)
    elif entry.suffix == ".py":
        compileall.compile_file(entry, quiet=2, force=True, invalidation_mode=how)


def settle(root: Path) -> None:
    """Give every file and folder under `root`, and it itself, the same time."""
    for path in [root, *root.rglob("*")]:
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


if __name__ == "__main__":
    main()
