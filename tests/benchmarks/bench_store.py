"""Measure what a run does with a store of many objects before it knows that nothing is to do.

Usage: python tests/benchmarks/bench_store.py [--objects N] [--runs N] [--home STORE]
Every figure is of a fresh process. STORE is made where it does not exist, and kept; without one,
a temporary store is made and removed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ddspec.canon import Digest, digest
from ddspec.plan.ir import Stage
from ddspec.run.clearing import Wanted, look
from ddspec.run.dispatch import outcome_of, survey
from ddspec.run.places import places_of
from ddspec.store.manifest import MANIFEST, measure
from ddspec.store.store import Store, open_store
from ddspec.wire.work import RandomSelection, SelectWork

BAR_S = 0.5
DDSPEC = (sys.executable, "-m", "ddspec")


def key_of(number: int) -> Digest:
    """Return the key of an object."""
    return digest({"benchmark": number})


def fill(store: Store, count: int) -> None:
    """Put objects of 3 to 5 files into a store, as `publish` does, without waiting for the disk."""
    result = {
        "format": "ddspec.result/1",
        "metrics": {"accuracy": 0.75, "loss": 0.5, "curve": [0.1] * 20},
        "engine": {"torch": "2.11.0", "device": "cpu", "threads": 1},
        "seconds": 1.5,
    }
    for number in range(count):
        key = key_of(number)
        folder = store.layout.object(key)
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(result | {"key": key}))
        (folder / "card.json").write_text(json.dumps({"provenance": {"key": key}}))
        (folder / "grid.png").write_bytes(bytes(500))
        for name in ("model.safetensors", "curve.json")[: number % 3]:
            (folder / name).write_bytes(bytes(2000))
        (folder / MANIFEST).write_bytes(measure(folder, key).encoded())


def stages(count: int) -> tuple[Stage, ...]:
    """Return a plan whose outputs are the objects."""
    work = SelectWork(selection=RandomSelection(), images_per_class=1, seed=(0,))
    return tuple(
        Stage(label=f"select/random/{i}", work=work, upstream={}, inputs={}, key=key_of(i))
        for i in range(count)
    )


def look_up(store: Store, plan: Sequence[Stage]) -> int:
    """Look every stage of a plan up, as a run does first."""
    return len(survey(plan, store, lambda event: None).present)


def look_up_and_tell(store: Store, plan: Sequence[Stage]) -> int:
    """Look every stage up and gather the figures of all, as a run does that has nothing to do."""
    board = survey(plan, store, lambda event: None)
    return sum(stage.seconds is not None for stage in outcome_of(plan, board, store).stages)


def check_all(store: Store, plan: Sequence[Stage]) -> int:
    """List the keys of the store and check every object, of whatever plan."""
    keys = store.objects.keys()
    return sum(store.objects.problem(key) is None for key in keys)


def find_unreached(store: Store, plan: Sequence[Stage]) -> int:
    """Find what nothing reaches, which is everything, with its size and what it is."""
    return len(look(store, Wanted((), (), math.inf), places_of(store)).found.things)


CASES: dict[str, Callable[[Store, Sequence[Stage]], int]] = {
    "survey": look_up,
    "survey and outcome": look_up_and_tell,
    "keys and problem": check_all,
    "unreached by anything": find_unreached,
}


def timed(name: str, home: Path, count: int) -> float:
    """Return the seconds of a case in this process; anything missing ends the benchmark."""
    store, plan = open_store(home), stages(count)
    begin = time.perf_counter()
    found = CASES[name](store, plan)
    seconds = time.perf_counter() - begin
    if found != count:
        sys.exit(f"{name}: {found} of {count}")
    return seconds


def in_child(name: str, home: Path, count: int) -> float:
    """Return the seconds of a case in a fresh process."""
    command = (sys.executable, __file__, "--home", str(home), "--objects", str(count))
    child = subprocess.run([*command, "--case", name], check=True, capture_output=True, text=True)
    return float(child.stdout)


def status(home: Path) -> float:
    """Return the seconds of the whole command `ddspec status`."""
    begin = time.perf_counter()
    subprocess.run([*DDSPEC, "status", "--home", str(home)], check=True, capture_output=True)
    return time.perf_counter() - begin


def line(name: str, seconds: Sequence[float]) -> str:
    """Return one row: median, fastest and slowest time."""
    figures = (statistics.median(seconds), min(seconds), max(seconds))
    return f"{name:<26}" + "".join(f"{figure:>9.3f}" for figure in figures)


def report(home: Path, count: int, runs: int) -> None:
    """Print the table; rounds go through all cases, so that a busy moment meets them alike."""
    if not (home / "store.json").exists():
        fill(open_store(home), count)
    rounds = [
        [*(in_child(name, home, count) for name in CASES), status(home)] for _ in range(runs + 1)
    ]
    print(f"{count:,} objects, median of {runs} runs after one that warms the file cache")
    print(f"{'':<26}{'median':>9}{'min':>9}{'max':>9}   bar {BAR_S} s")
    for name, row in zip([*CASES, "ddspec status"], zip(*rounds[1:], strict=True), strict=True):
        print(line(name, row))


def main() -> None:
    """Measure one case as a child, or all of them as the parent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--case", choices=list(CASES))
    chosen = parser.parse_args()
    if chosen.case:
        print(timed(chosen.case, chosen.home, chosen.objects))
    elif chosen.home:
        report(chosen.home, chosen.objects, chosen.runs)
    else:
        with tempfile.TemporaryDirectory() as folder:
            report(Path(folder) / "home", chosen.objects, chosen.runs)


if __name__ == "__main__":
    main()
