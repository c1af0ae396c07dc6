"""Furnish the environment of the runner image; runs inside the build, with the base's Python.

    python3 furnish.py private     what requirements.txt locks, from wheels or by private settings
    python3 furnish.py public      the same, from the index, unless it is there
    python3 furnish.py packages    ddspec and ddspec_runners, from the wheel

The first and the last are moved to /tree, from where the image copies them; `public` works in the
image itself, and so touches nothing outside the environment.
Two runs leave the same bytes: no cache, no clock, no order that depends on the machine.
"""

from __future__ import annotations

import compileall
import multiprocessing
import os
import shutil
import subprocess
import sys
import venv
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from py_compile import PycInvalidationMode

BUILD = Path("/build")
ROOT = Path("/opt/ddspec")
LOCK = Path(__file__).with_name("requirements.txt")
TREE = Path("/tree")
OLDEST = (3, 11)

EPOCH = 315_532_800
"""1980-01-01, the first day that a zip archive can hold: the time of every file."""

LEFT_OUT = frozenset(f"PIP_{name}" for name in ("CONSTRAINT", "TARGET", "PREFIX", "ROOT", "USER"))
"""What some base images set for their own installations, and what would move or bend ours."""


def main() -> None:
    """Take the step that the command line names."""
    if sys.version_info < OLDEST:
        raise SystemExit(f"the base image has Python {sys.version.split()[0]}, and 3.11 is needed")
    os.umask(0o022)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # not of pip's own modules, in the base's folders
    STEPS[sys.argv[1]]()


def private() -> None:
    """Install the locked libraries where there are wheels or settings, to be copied."""
    TREE.mkdir()
    wheels = [*(BUILD / "wheels").iterdir()]
    if wheels or any((BUILD / "settings").iterdir()):
        origin = ["--no-index", "--find-links", str(BUILD / "wheels")] if wheels else []
        furnish(*origin, *LOCKED)
        move()


def public() -> None:
    """Install the locked libraries in place, unless they were copied."""
    if not (ROOT / "pyvenv.cfg").exists():
        furnish(*LOCKED)


def packages() -> None:
    """Install our own wheel, to be copied; by name, else pip notes the path it came from."""
    TREE.mkdir()
    furnish("--no-index", "--no-deps", "--find-links", str(BUILD / "packages"), "ddspec")
    move()


STEPS = {"private": private, "public": public, "packages": packages}

LOCKED = ("--require-hashes", "--requirement", str(LOCK))


def furnish(*what: str) -> None:
    """Make the environment, install, compile, and take off the time."""
    venv.create(ROOT, symlinks=True, with_pip=False)
    temporary = ROOT / "tmp"  # in /tmp, what pip does would show in the time of that folder
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    install(*what)
    compile_all()
    shutil.rmtree(temporary)
    settle(ROOT.parent)


def move() -> None:
    """Move the environment, with the folders above it, to where the image copies it from."""
    target = TREE / ROOT.relative_to("/")
    target.parent.mkdir(parents=True)
    ROOT.rename(target)
    settle(TREE)


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
