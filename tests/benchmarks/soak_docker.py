"""Kill hosts, containers and the engine again and again, and count what is lost.

Run by hand: `python tests/benchmarks/soak_docker.py --minutes 10 [--seed N] [--only FAULT]`. The
engine is killed only where DDSPEC_TEST_ENGINE names one that is ours (see `.ci/engine`). Prints one
row a fault: how many times it happened, over how many stores with a plan of 11 stages; outputs that
were missing after a last, undisturbed run; outputs that differ from what was computed without
containers; finished steps that were done again, and those beyond one a killed container;
containers left behind.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fakes"))

from fake_docker_host import Told
from fake_engine import fake_image
from fake_harbour import STEPS, Harbour, engine_client, expected, suppress_gone
from fake_plans import diamond

ENGINE = Path(__file__).parents[2] / ".ci/engine"
WHOLE_S = 4.0
"""About what an undisturbed run takes."""
STUCK_S = 90.0
"""After which a disturbed run cannot be merely slow."""
TURNS = 3
"""Disturbed runs over one store, and disturbances of one run, before it is left in peace."""


@dataclass(slots=True)
class Dice:
    """Numbers of a seed, one after another."""

    seed: str
    thrown: int = 0

    def __call__(self) -> float:
        """Return a number of [0, 1)."""
        self.thrown += 1
        digest = hashlib.sha256(f"{self.seed} {self.thrown}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48


@dataclass(frozen=True, slots=True)
class Hit:
    """What was hit."""

    times: int
    containers: int = 0
    """That may have lost what they did since their last checkpoint."""


def host_only(harbour: Harbour, dice: Dice) -> Hit:
    harbour.hosts[-1].kill()
    return Hit(1)


def containers(name: str) -> Callable[[Harbour, Dice], Hit]:
    def act(harbour: Harbour, dice: Dice) -> Hit:
        taken = harbour.signal(name)
        return Hit(taken, taken)

    return act


def removed(harbour: Harbour, dice: Dice) -> Hit:
    living = harbour.living()
    for container in living:
        with suppress_gone():
            harbour.api.remove_container(container, force=True)
    return Hit(len(living), len(living))


def stopped(harbour: Harbour, dice: Dice) -> Hit:
    living = harbour.living()
    for container in living:
        with suppress_gone():
            harbour.api.stop(container, timeout=10)
    return Hit(len(living))


def paused(harbour: Harbour, dice: Dice) -> Hit:
    living = harbour.living()
    for act in (harbour.api.pause, harbour.api.unpause):
        for container in living:
            with suppress_gone():
                act(container)
        time.sleep(dice())
    return Hit(len(living))


def everything(harbour: Harbour, dice: Dice) -> Hit:
    harbour.hosts[-1].kill()
    taken = harbour.signal("SIGKILL")
    return Hit(1 + taken, taken)


def second_host(harbour: Harbour, dice: Dice) -> Hit:
    first = harbour.hosts[-1]
    other = harbour.host()
    time.sleep(dice())
    first.kill()
    harbour.ended(other)
    return Hit(1)


def interrupted(harbour: Harbour, dice: Dice) -> Hit:
    harbour.hosts[-1].send_signal(signal.SIGINT)
    return Hit(1)


def engine(*commands: str, host: bool = False) -> Callable[[Harbour, Dice], Hit]:
    """Do something to the engine, and start it again in the mode it had."""

    def act(harbour: Harbour, dice: Dice) -> Hit:
        living = len(harbour.living())
        if host:
            harbour.hosts[-1].kill()
        subprocess.run([ENGINE, commands[0]], check=True, capture_output=True)
        time.sleep(dice())
        subprocess.run([ENGINE, "start", *commands[1:]], check=True, capture_output=True)
        return Hit(1, living)

    return act


def containerd(harbour: Harbour, dice: Dice) -> Hit:
    living = len(harbour.living())
    told = subprocess.run([ENGINE, "pid", "containerd"], capture_output=True, text=True, check=True)
    with suppress(ValueError, ProcessLookupError):
        os.kill(int(told.stdout), signal.SIGKILL)
        return Hit(1, living)
    return Hit(0)


LIVE = "--live-restore"
ENDS = (0, 6, 130, -signal.SIGKILL)
"""Exit codes that a disturbed run may have: done, no engine, interrupted, killed."""
FAULTS: dict[str, Callable[[Harbour, Dice], Hit]] = {
    "`ddspec run` SIGKILL": host_only,
    "`ddspec run` Ctrl-C": interrupted,
    "containers SIGKILL (`docker kill`)": containers("SIGKILL"),
    "containers SIGTERM (`docker kill -s TERM`)": containers("SIGTERM"),
    "`docker stop`": stopped,
    "`docker pause`, then `unpause`": paused,
    "`docker rm -f`": removed,
    "`ddspec run` and containers SIGKILL": everything,
    "one of two `ddspec run` SIGKILL": second_host,
}
"""What is done to a run."""
ENGINE_FAULTS: dict[str, Callable[[Harbour, Dice], Hit]] = {
    "dockerd SIGKILL": engine("kill"),
    "dockerd SIGKILL, --live-restore": engine("kill", LIVE),
    "dockerd stopped": engine("stop"),
    "dockerd and `ddspec run` SIGKILL": engine("kill", host=True),
    "dockerd and `ddspec run` SIGKILL, --live-restore": engine("kill", LIVE, host=True),
    "containerd SIGKILL": containerd,
}


@dataclass(slots=True)
class Tally:
    """What one fault did, over all runs."""

    runs: int = 0
    times: int = 0
    lost: int = 0
    different: int = 0
    redone: int = 0
    beyond: int = 0
    orphans: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    """What should not have been: exit codes, and runs that did not end before `docker rm -f`."""


def rounds(name: str, fault: Callable[[Harbour, Dice], Hit], tally: Tally, dice: Dice) -> None:
    """Disturb one store some times, leave it in peace, and count."""
    behaviours = {stage.label: {"steps": STEPS, "step_s": 0.03} for stage in diamond()}
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        api = engine_client()
        told = Told(f"{folder}/home", fake_image(), "diamond", behaviours, orders={"retries": 99})
        harbour = Harbour(Path(folder), api, told)
        allowed = 0
        if name in ENGINE_FAULTS:
            mode = [LIVE] if LIVE in name else []
            subprocess.run([ENGINE, "start", *mode], check=True, capture_output=True)
        try:
            for _ in range(TURNS):
                for hit in disturb(harbour, fault, tally, dice):
                    tally.times += hit.times
                    allowed += hit.containers
            count(harbour, tally, allowed)
        finally:
            harbour.remove()


def disturb(
    harbour: Harbour, fault: Callable[[Harbour, Dice], Hit], tally: Tally, dice: Dice
) -> list[Hit]:
    """Run once, and do it again and again until the run is over or dead."""
    hits: list[Hit] = []
    begun = harbour.said("RunStarted")
    host = harbour.host()
    harbour.until(lambda: harbour.said("RunStarted") > begun or host.poll() is not None)
    while len(hits) < TURNS:
        with suppress(subprocess.TimeoutExpired):
            host.wait(dice() * WHOLE_S / 2)
            break
        hits.append(fault(harbour, dice))
    with suppress(subprocess.TimeoutExpired):
        host.wait(STUCK_S)
    if host.poll() is None:  # the engine may be wrong about a container: what a person would do
        tally.odd["stuck"] += 1
        removed(harbour, dice)
    ended = harbour.ended(host)
    if ended.code not in ENDS:
        tally.odd[f"disturbed {ended.code}"] += 1
        print(harbour.stderr()[-2000:], file=sys.stderr)
    return hits


def count(harbour: Harbour, tally: Tally, allowed: int) -> None:
    ended = harbour.finish()
    tally.runs += 1
    if ended.code:
        tally.odd[str(ended.code)] += 1
        print(harbour.stderr()[-2000:], file=sys.stderr)
    want = expected(harbour.stages, {stage.label: STEPS for stage in harbour.stages})
    for stage in harbour.stages:
        path = harbour.store.layout.object(stage.key or "") / "data"
        tally.lost += not path.exists()
        tally.different += path.exists() and path.read_text() != want[stage.label]
    tally.redone += harbour.doubled()
    tally.beyond += max(0, harbour.doubled() - allowed)
    tally.orphans += len(harbour.containers())


def seeds(seed: str) -> Iterator[Dice]:
    number = 0
    while True:
        number += 1
        yield Dice(f"{seed} {number}")


def table(tallies: dict[str, Tally]) -> str:
    head = ["killed", "times", "stores", "lost", "different", "again", "beyond", "orphans"]
    rows = [
        [name, *map(str, (t.times, t.runs, t.lost, t.different, t.redone, t.beyond, t.orphans))]
        for name, t in tallies.items()
    ]
    rule = ["---", *["---:"] * (len(head) - 1)]
    lines = ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]
    odd = [f"{name}: {dict(t.odd)}" for name, t in tallies.items() if t.odd]
    return "\n".join([*lines, *odd])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", default="soak")
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    faults = {**FAULTS, **(ENGINE_FAULTS if "DDSPEC_TEST_ENGINE" in os.environ else {})}
    faults = {name: fault for name, fault in faults.items() if asked.only in name}
    tallies = {name: Tally() for name in faults}
    end = time.monotonic() + 60 * asked.minutes
    for dice in seeds(asked.seed):
        for name, fault in faults.items():
            if time.monotonic() > end:
                print(table(tallies))
                return
            rounds(name, fault, tallies[name], dice)


if __name__ == "__main__":
    main()
