"""Kill a run before the n-th change that it makes to the disk, for every n; then run it again.

Called as `fake_crash.py FOLDER`. Prints one JSON object a crash: its number, the change that did
not happen, and what the second run left. Forks, so that nothing is imported twice.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from fake_plans import chain, executor_of

from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan
from ddspec.run.outcome import Outcome
from ddspec.store.store import open_store

CHANGES = {"os.rename", "os.link", "os.remove", "os.posix_spawn", "os.mkdir", "os.rmdir"}


def die_before(number: int, folder: Path) -> None:
    """Kill this process before its n-th change, and leave a note of which one that was."""
    seen: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writing = event == "open" and arguments[1] is not None and arguments[1][0] in "wax"
        if event in CHANGES or writing:
            seen.append(event)
            if len(seen) == number:
                note = os.open(folder / "crash", os.O_WRONLY | os.O_CREAT)
                os.write(note, f"{event} {arguments[0]}".encode())
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def run(folder: Path) -> Outcome:
    store = open_store(folder / "home")
    executor = executor_of(store, folder / "script.json", folder / "log")
    orders = Orders(poll_s=0.002, pause_s=0.01)
    return run_plan(chain()[:1], store, executor, sink=lambda event: None, orders=orders)


def forked(action: Callable[[], object]) -> int:
    """Run an action in a fork; return how it ended (negative is a signal)."""
    child = os.fork()
    if child == 0:
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def crash(number: int, root: Path) -> dict[str, object] | None:
    """Return what became of a run that died before its n-th change; None if it made fewer."""
    folder = root / str(number)
    folder.mkdir()
    (folder / "script.json").write_text("{}")
    (folder / "log").touch()

    def first() -> None:
        die_before(number, folder)
        run(folder)

    if forked(first) == 0:
        return None
    ended = forked(lambda: run(folder))
    store = open_store(folder / "home")
    stage_key = chain()[0].key or ""
    leftovers = [
        str(path.relative_to(folder))
        for part in (store.layout.objects, store.layout.claims, store.layout.damaged)
        for path in part.rglob("*")
        if not path.is_dir() and stage_key not in path.parts and path.name[0] != "."
    ]
    return {
        "number": number,
        "change": (folder / "crash").read_text(),
        "ended": ended,
        "made": store.objects.has(stage_key),
        "starts": (folder / "log").read_text().count("start"),
        "claims": len(store.claims.keys()),
        "living": len(executor_of(store, Path(), Path()).find(store.id)),
        "leftovers": leftovers,
    }


if __name__ == "__main__":
    number = 1
    while (found := crash(number, Path(sys.argv[1]))) is not None:
        print(json.dumps(found), flush=True)
        number += 1
