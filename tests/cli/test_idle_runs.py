"""A run that finds everything in the store needs no engine, and loads nothing that talks to one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_cli import Shell

PROBE = """
import sys
import ddspec.cli.app
sys.argv = ["ddspec", *sys.argv[1:]]
try:
    ddspec.cli.app.main()
finally:
    print("LOADED", *sorted(sys.modules), file=sys.stderr)
"""
NOT_NEEDED = {"docker", "requests", "pynvml", "torch", "numpy", "filelock", "ddspec.run.loop"}


def in_fresh_process(folder: Path, *arguments: str) -> tuple[int, str, set[str]]:
    """Return exit code, stdout and the modules that were loaded; no engine can be reached."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, "DOCKER_HOST": f"unix://{folder}/no-engine.sock"},
        check=False,
    )
    last = done.stderr.strip().rsplit("\n", 1)[-1]
    assert last.startswith("LOADED"), done.stderr
    return done.returncode, done.stdout, set(last.split()[1:])


@pytest.mark.parametrize("executor", ["local", "docker"])
def test_with_everything_in_the_store_a_run_needs_no_engine(shell: Shell, executor: str) -> None:
    assert shell("run", "small.yaml").code == 0

    code, out, loaded = in_fresh_process(
        shell.folder, "run", "small.yaml", "--executor", executor, "--device", "cpu", "--json"
    )

    assert (code, '"done"' in out) == (0, False)
    assert loaded.isdisjoint(NOT_NEEDED)


def test_status_and_results_need_no_engine(shell: Shell) -> None:
    assert shell("run", "small.yaml").code == 0

    for arguments in (("status",), ("results", "small.yaml"), ("plan", "small.yaml")):
        code, _, loaded = in_fresh_process(shell.folder, *arguments)

        assert code == 0
        assert loaded.isdisjoint(NOT_NEEDED)
