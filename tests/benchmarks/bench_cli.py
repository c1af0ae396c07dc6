"""Measure how long whole commands take, beside an interpreter that does nothing.

Usage: python tests/benchmarks/bench_cli.py [--runs N] [--home STORE --data DIR SPEC]
With a store in which all of SPEC is done, `run` and `results` of it are measured too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DDSPEC = (sys.executable, "-m", "ddspec")
IMAGENET = str(ROOT / "specs" / "imagenet100.yaml")
CIFAR = str(ROOT / "specs" / "cifar10.yaml")


@dataclass(frozen=True, slots=True)
class Case:
    """A command and the bars it must stay under."""

    name: str
    command: tuple[str, ...]
    seconds: float | None = None
    mebibytes: float | None = None


CASES = (
    Case("python -c pass", (sys.executable, "-c", "pass")),
    Case("import pydantic", (sys.executable, "-c", "import pydantic")),
    Case("ddspec --help", (*DDSPEC, "--help"), 0.3),
    Case("ddspec validate imagenet100", (*DDSPEC, "validate", IMAGENET)),
    Case("ddspec plan imagenet100", (*DDSPEC, "plan", IMAGENET), 0.5, 60),
    Case("ddspec diff imagenet100 cifar10", (*DDSPEC, "diff", IMAGENET, CIFAR)),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    wall_s: float
    cpu_s: float
    """User and system time: what remains of the wall time on a busy machine."""
    peak_mib: float


def measure(command: Sequence[str], environ: dict[str, str]) -> Run:
    """Run a command once; anything but exit code 0 ends the benchmark."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ, cwd=ROOT
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def line(case: Case, runs: Sequence[Run]) -> str:
    """Return one row: median, fastest and slowest time, CPU time, peak memory, bars."""
    wall = [run.wall_s for run in runs]
    bars = [f"{case.seconds} s"] if case.seconds else []
    bars += [f"{case.mebibytes:.0f} MiB"] if case.mebibytes else []
    return (
        f"{case.name:<34}{statistics.median(wall):>8.3f}{min(wall):>8.3f}{max(wall):>8.3f}"
        f"{statistics.median(run.cpu_s for run in runs):>8.3f}"
        f"{max(run.peak_mib for run in runs):>8.0f}   {', '.join(bars)}"
    )


def main() -> None:
    """Print the table; rounds go through all cases, so that a busy moment meets them alike."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("spec", nargs="?", help="a spec of which all is in the store")
    chosen = parser.parse_args()
    # as where it is installed: compiled modules are kept
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    if chosen.home:
        environ["DDSPEC_HOME"] = str(chosen.home.resolve())
    if chosen.data:
        environ["DDSPEC_DATA"] = str(chosen.data.resolve())
    cases = list(CASES)
    if chosen.spec:
        stored = str(Path(chosen.spec).resolve())
        cases += [
            Case("ddspec run, all in the store", (*DDSPEC, "run", stored), 0.5),
            Case("ddspec results", (*DDSPEC, "results", stored)),
        ]
    runs = [[measure(case.command, environ) for case in cases] for _ in range(chosen.runs + 1)]
    print(f"median of {chosen.runs} runs after one that warms the file cache")
    print(f"{'':<34}{'median':>8}{'min':>8}{'max':>8}{'CPU':>8}{'MiB':>8}   bars")
    for case, rows in zip(cases, zip(*runs[1:], strict=True), strict=True):
        print(line(case, rows))


if __name__ == "__main__":
    main()
