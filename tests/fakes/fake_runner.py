"""A runner without numbers: honours the job layout and misbehaves as its script file says.

Called as `fake_runner.py SCRIPT LOG --root ROOT --scratch SCRATCH`, or without the last four, which
are then those of a container. The script, a file or JSON itself, maps a label to `{"steps",
"step_s", "exits", "result", "deaf", "fill", "stderr", "greed"}`; `exits` holds one exit code per
start, a negative one is a signal to itself; `fill` uses the disk up first; `stderr` is printed
there; `greed` names what is used up after the first step. The log gets a line `start LABEL`
whenever a stage is begun and `step LABEL N` for each step done.
"""

import json
import mmap
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

STOPPING: list[int] = []
signal.signal(signal.SIGTERM, lambda *_: STOPPING.append(1))


def write_whole(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def main(script: str, log: str, root: Path, scratch: Path) -> None:
    behaviours = json.loads(script if script[0] == "{" else Path(script).read_text())
    job = json.loads((root / "job/job.json").read_text())
    source = {"source": job["source"]} if "source" in job else {}
    for stage in job["stages"]:
        stage["engine"] = {"fake": "1"} | source
        code = realise(stage, behaviours.get(stage["label"], {}), Path(log), root, scratch)
        if code:
            print(f"{stage['label']} ends with {code}", file=sys.stderr, flush=True)
            if code < 0:
                os.kill(os.getpid(), -code)
            sys.exit(code)


def realise(
    stage: dict[str, Any], behaviour: dict[str, Any], log: Path, root: Path, scratch: Path
) -> int:
    note(log, f"start {stage['label']}")
    folder = scratch / stage["key"]
    state = folder / "checkpoint"
    done, text = (json.loads(state.read_text())) if state.exists() else (0, stage["key"])
    steps = behaviour.get("steps", 1)
    tell(folder, stage, "started", done, steps)
    print(end=behaviour.get("stderr", ""), file=sys.stderr, flush=True)
    if behaviour.get("fill") and not done:
        with (folder / "filler").open("wb", buffering=0) as file:
            while file.write(b"0" * 4096):
                pass
    while done < steps:
        time.sleep(behaviour.get("step_s", 0))
        if STOPPING and not behaviour.get("deaf"):
            return 143
        done, text = done + 1, f"{text}.{done}"
        write_whole(state, json.dumps([done, text]))
        note(log, f"step {stage['label']} {done}")
        tell(folder, stage, "progress", done, steps)
        if "greed" in behaviour and GREED[behaviour["greed"]]():
            return 70
    starts = log.read_text().splitlines().count(f"start {stage['label']}")
    exits = behaviour.get("exits", [])
    if starts <= len(exits) and exits[starts - 1]:
        return int(exits[starts - 1])
    write_output(stage, behaviour, text, root)
    return 0


def write_output(stage: dict[str, Any], behaviour: dict[str, Any], text: str, root: Path) -> None:
    inputs = [(root / "inputs" / key / "data").read_text() for key in stage["inputs"].values()]
    output = root / "output" / stage["key"]
    output.mkdir(exist_ok=True)
    (output / "data").write_text("+".join([text, *inputs]) + "\n")
    if stage["work"]["kind"] in ("distill", "merge", "select"):
        card = {"protocol": None, "provenance": {"key": stage["key"]}}
        (output / "card.json").write_text(json.dumps(card))
        (output / "synthetic.safetensors").write_text(text)
        (output / "grid.png").write_text("a picture")
    result = {
        "format": "ddspec.result/1",
        "key": stage["key"],
        "label": stage["label"],
        "kind": stage["work"]["kind"],
        "revision": stage["work"]["revision"],
        "metrics": {"inputs": len(inputs)},
        "engine": stage["engine"],
        "seconds": 0.5,
    } | behaviour.get("result", {})
    write_whole(output / "result.json", json.dumps(result))


def eat() -> bool:
    """Take memory until something stops this process."""
    blocks = []
    while True:
        blocks.append(b"x" * (8 << 20))


def feed_a_child() -> bool:
    """Let a child take memory until it is killed for it, and say that it was."""
    child = os.fork()
    if child == 0:
        Path("/proc/self/oom_score_adj").write_text("1000")
        eat()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def overfill() -> bool:
    """Write more to shared memory than there is of it, through a map, as tensors are shared."""
    room = os.statvfs("/dev/shm")
    with Path("/dev/shm/tensor").open("w+b") as file:
        file.truncate(2 * room.f_blocks * room.f_frsize)
        with mmap.mmap(file.fileno(), 0) as shared:
            for begin in range(0, len(shared), 4096):
                shared[begin] = 1
    return True


GREED = {"memory": eat, "child": feed_a_child, "shm": overfill}


def tell(folder: Path, stage: dict[str, Any], event: str, done: int, total: int) -> None:
    line = {"key": stage["key"], "event": event, "done": done, "total": total, "unit": "steps"}
    note(folder / "events.jsonl", json.dumps(line))


def note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    _, script, log, _, root, _, scratch = [*sys.argv, "--root", "/", "--scratch", "/scratch"][:7]
    main(script, log, Path(root), Path(scratch))
