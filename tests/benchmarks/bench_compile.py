"""Measure how long a matrix takes from YAML to plan, beside dry runs of other tools.

Usage: python tests/benchmarks/bench_compile.py [--runs N] [--variants N ...] [--tools DIR]
`DIR` is the `bin` folder of an environment with `snakemake` and `dvc`; each is measured where it is
there. Their graphs are the same: one pool of 5 networks, and for each variant a stage that distils
and one that evaluates. CPU time is what remains of the wall time on a busy machine.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SPEC = """\
name: many
dataset: {kind: digits, validation: 0.2}
network: {kind: convnet, depth: 2, width: 32}
pool: {kind: recorded, models: 5, epochs: 2}
perturbation:
  kind: filter_gaussian
  directions: 2
  coefficient: {law: uniform_signed, low: 0.01, high: 0.09}
inner: {kind: on_real, steps: 2}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 2.0e-4}
loops: {outer_loops: 40, inner_steps: 10}
evaluate:
  protocol: {name: short, steps: 100}
  repeats: 1
  baselines: {random: 0, init: 0, full: 0}
"""
SNAKEFILE = """\
N = {count}
rule all:
    input: expand("out/evaluate/{{v}}.txt", v=range(N))
rule prepare:
    output: "out/prepare.txt"
    shell: "touch {{output}}"
rule pool:
    input: "out/prepare.txt"
    output: "out/pool/{{m}}.txt"
    shell: "touch {{output}}"
rule distill:
    input: expand("out/pool/{{m}}.txt", m=range(5))
    output: "out/distill/{{v}}.txt"
    params: lr=lambda w: 0.001 * int(w.v)
    shell: "touch {{output}}"
rule evaluate:
    input: "out/distill/{{v}}.txt", "out/prepare.txt"
    output: "out/evaluate/{{v}}.txt"
    shell: "touch {{output}}"
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A command, what has to lie in its folder, and what it may take."""

    name: str
    command: tuple[str, ...]
    lay: Callable[[Path, int], None]
    seconds: float | None = None
    mebibytes: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    wall_s: float
    user_s: float
    peak_mib: float


def lay_spec(folder: Path, count: int) -> None:
    """Write a spec of so many variants: budgets by rates by loops, or some of them."""
    side = math.ceil(count ** (1 / 3))
    axes = f"""\
matrix:
  budget.images_per_class: {{from: 1, to: {side}}}
  loops.outer_loops: {{from: 10, to: {10 * side}, step: 10}}
  update.learning_rate: {{from: 0.0001, to: {math.ceil(count / side**2)}e-4, step: 0.0001}}
"""
    (folder / "many.yaml").write_text(SPEC + axes)


def lay_snakefile(folder: Path, count: int) -> None:
    """Write the same graph as rules."""
    (folder / "Snakefile").write_text(SNAKEFILE.format(count=count))


def lay_dvc(folder: Path, count: int) -> None:
    """Write the same graph as stages of a repository of DVC without Git.

    The outputs are there, for it looks into them even in a dry run.
    """
    (folder / "dvc.yaml").write_text("\n".join(_dvc_stages(count)))
    outputs = [f"{kind}{number}" for kind in ("set", "score") for number in range(count)]
    for name in ("source.txt", "prepare", *(f"pool{i}" for i in range(5)), *outputs):
        (folder / name).touch()
    subprocess.run([_tool("dvc"), "init", "--no-scm", "-q"], cwd=folder, check=True)


def _dvc_stages(count: int) -> Iterator[str]:
    yield "stages:"
    yield "  prepare: {cmd: touch prepare, deps: [source.txt], outs: [prepare]}"
    for member in range(5):
        yield f"  pool{member}: {{cmd: touch pool{member}, deps: [prepare], outs: [pool{member}]}}"
    pool = ", ".join(f"pool{member}" for member in range(5))
    for number in range(count):
        made, judged = f"set{number}", f"score{number}"
        yield f"  distill{number}: {{cmd: touch {made}, deps: [{pool}], outs: [{made}]}}"
        yield f"  evaluate{number}: {{cmd: touch {judged}, deps: [{made}], outs: [{judged}]}}"


TOOLS: list[Path] = []
"""Where other tools are; filled from the command line."""


def _tool(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join(map(str, TOOLS)) or None)
    if found is None:
        raise FileNotFoundError(name)
    return found


def cases() -> list[Case]:
    """Return what can be measured here."""
    ddspec = (sys.executable, "-m", "ddspec", "plan", "many.yaml")
    compiling = (
        "from ddspec.spec.load import load_spec; from ddspec.plan.compile import compile_spec;"
        "compile_spec(load_spec('many.yaml'))"
    )
    found = [
        Case("ddspec, spec to plan", (sys.executable, "-c", compiling), lay_spec, 1.0, 150),
        Case("ddspec plan", ddspec, lay_spec),
        Case("ddspec plan -o", (*ddspec, "-o", "many.plan.yaml"), lay_spec),
    ]
    others = {
        "snakemake": (("snakemake", "-n", "-q"), lay_snakefile),
        "dvc": (("dvc", "repro", "--dry", "-q"), lay_dvc),
    }
    for name, (command, lay) in others.items():
        try:
            found.append(Case(f"{name} dry run", (_tool(name), *command[1:]), lay))
        except FileNotFoundError:
            print(f"{name}: not here, give --tools")
    return found


def measure(command: Sequence[str], folder: Path) -> Run:
    """Run a command once; anything but exit code 0 ends the benchmark."""
    environ = {**os.environ, "DVC_NO_ANALYTICS": "1", "PYTHONDONTWRITEBYTECODE": ""}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environ, cwd=folder
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {said[-400:].decode()}")
    return Run(seconds, usage.ru_utime, usage.ru_maxrss / 1024)


def line(case: Case, count: int, runs: Sequence[Run]) -> str:
    """Return one row: variants, median and fastest wall time, CPU time, peak memory, bars."""
    wall, user = [run.wall_s for run in runs], [run.user_s for run in runs]
    bars = [f"{case.seconds} s"] if case.seconds and count == 1_000 else []
    bars += [f"{case.mebibytes:.0f} MiB"] if case.mebibytes and count == 1_000 else []
    return (
        f"{case.name:<24}{count:>8}{statistics.median(wall):>9.3f}{min(wall):>9.3f}"
        f"{statistics.median(user):>9.3f}{min(user):>9.3f}"
        f"{max(run.peak_mib for run in runs):>8.0f}   {', '.join(bars)}"
    ).rstrip()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--variants", type=int, nargs="+", default=[125, 1_000])
    parser.add_argument("--tools", type=Path)
    chosen = parser.parse_args()
    TOOLS.extend([chosen.tools] if chosen.tools else [])
    print(f"{'':<24}{'variants':>8}{'wall s':>9}{'least':>9}{'user s':>9}{'least':>9}{'MiB':>8}")
    for case in cases():
        for count in chosen.variants:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                case.lay(folder, count)
                runs = [measure(case.command, folder) for _ in range(chosen.runs)]
            print(line(case, count, runs), flush=True)


if __name__ == "__main__":
    main()
