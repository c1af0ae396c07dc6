"""Light commands stay light, and every module stands on its own."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import ddspec

ROOT = Path(__file__).parents[1]
SPEC = str(ROOT / "specs" / "imagenet100.yaml")
DIGITS = str(ROOT / "specs" / "digits.yaml")

HEAVY = {
    *("torch", "numpy", "scipy", "matplotlib", "ddspec_analysis", "ddspec_runners"),
    *("docker", "requests", "pynvml", "jinja2"),
}

LIGHT_COMMANDS = {
    "help": ["--help"],
    "help of run": ["run", "--help"],
    "version": ["--version"],
    "plan": ["plan", SPEC],
    "plan as JSON": ["plan", SPEC, "--json"],
    "diff": ["diff", SPEC, DIGITS],
    "validate": ["validate", SPEC],
    "an error": ["plan", "no-such-file.yaml"],
}

MODULES = [
    module.name
    for module in pkgutil.walk_packages(ddspec.__path__, "ddspec.")
    if module.name != "ddspec.__main__"
]

PROBE = """
import sys
sys.argv = ["ddspec", *sys.argv[1:]]
try:
    {body}
finally:
    print("LOADED", *sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


def loaded_by(body: str, arguments: Sequence[str] = (), home: Path | None = None) -> set[str]:
    """Return the top-level packages that a fresh interpreter holds after running `body`."""
    environ = {"PATH": "/usr/bin:/bin", "DDSPEC_HOME": str(home)} if home else None
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(body=body), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
        check=False,
    )
    last = done.stderr.strip().rsplit("\n", 1)[-1]
    assert last.startswith("LOADED"), done.stderr
    return set(last.split()[1:])


@pytest.mark.parametrize("arguments", LIGHT_COMMANDS.values(), ids=LIGHT_COMMANDS)
def test_a_light_command_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    loaded = loaded_by("import ddspec.cli.app; ddspec.cli.app.main()", arguments, tmp_path)

    assert "typer" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_help_does_not_load_what_only_other_verbs_need(tmp_path: Path) -> None:
    loaded = loaded_by("import ddspec.cli.app; ddspec.cli.app.main()", ["--help"], tmp_path)

    assert loaded.isdisjoint({"pydantic", "ruamel", "rich", "filelock"})


def test_a_plan_does_not_load_rich(tmp_path: Path) -> None:
    loaded = loaded_by("import ddspec.cli.app; ddspec.cli.app.main()", ["plan", SPEC], tmp_path)

    assert "rich" not in loaded


def test_the_check_for_light_imports_can_fail() -> None:
    loaded = loaded_by("import numpy")

    assert not loaded.isdisjoint(HEAVY)


def test_every_module_imports_alone_without_a_warning() -> None:
    # one process forks a child per module, with libraries but nothing of ddspec loaded: as alone
    # as in a fresh interpreter, in a fraction of the time
    probe = (
        "import importlib, os, sys\n"
        "import filelock, pydantic.json_schema, rich.progress, ruamel.yaml, typer\n"
        "pydantic.create_model('Warm')\n"
        "failed = []\n"
        "for name in sys.argv[1:]:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        try:\n"
        "            importlib.import_module(name)\n"
        "        except BaseException as error:\n"
        "            print(name, repr(error)); sys.stdout.flush(); os._exit(1)\n"
        "        os._exit(0)\n"
        "    if os.waitpid(child, 0)[1]:\n"
        "        failed.append(name)\n"
        "sys.exit(bool(failed))\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", probe, *MODULES],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert len(MODULES) > 20
    assert (done.returncode, done.stdout) == (0, "")
