"""Jobs whose runner was taken over by its data: the run ends with a message, the next one goes on.

They leave what no honest runner leaves, in every place that a container may write.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from fake_docker_host import MIB
from fake_plans import PLANS

from ddspec.executors.base import Terms
from ddspec.executors.docker import DockerExecutor
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan, site_of
from ddspec.run.outcome import StageOutcome
from ddspec.store.store import Store, open_store

pytestmark = pytest.mark.docker

HONEST = """
import json, os
stage = json.load(open("/job/job.json"))["stages"][0]
key, kind = stage["key"], stage["work"]["kind"]
out, scratch = f"/output/{key}", f"/scratch/{key}"
record = f"{scratch}/events.jsonl"
result = {"key": key, "label": "x", "kind": kind, "revision": stage["work"]["revision"]}
result |= {"metrics": {}, "engine": {}, "seconds": 1.0}
def finish(out=out, **more):
    os.makedirs(out, exist_ok=True)
    open(f"{out}/result.json", "w").write(json.dumps(result | more))
def dig(folder):
    os.chdir(folder)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
"""

HARMLESS = {
    "a record that is a folder": "os.mkdir(record); finish()",
    "a record that is a loop": "os.symlink('events.jsonl', record); finish()",
    "a record that is a pipe": "os.mkfifo(record); finish()",
    "a record of a terabyte": "open(record, 'w').truncate(1 << 40); finish()",
    "scratch thousands deep": "finish(); dig(scratch)",
    "scratch that is closed": "finish(); os.chmod(scratch, 0)",
    "a cache that is closed": "finish(); os.chmod('/cache', 0)",
}
"""What a job did to what is not its output."""

REFUSED = {
    "a pipe as result": ("os.mkdir(out); os.mkfifo(f'{out}/result.json')", "no result.json"),
    "a device as result": (
        "os.mkdir(out); os.symlink('/dev/zero', f'{out}/result.json')",
        "no result.json",
    ),
    "an output elsewhere": (
        "finish(f'{scratch}/out'); mounts = open('/proc/self/mountinfo').read().split()\n"
        "os.symlink(mounts[mounts.index(scratch) - 1] + '/out', out)",
        "no result.json",
    ),
    "a device in the output": (
        "finish(); os.symlink('/dev/zero', f'{out}/a')",
        "a is neither a file nor a folder",
    ),
    "names that are no text": ("finish(); open(f'{out}/'.encode() + b'\\xff', 'w')", "UTF-8"),
    "an output thousands deep": ("finish(); dig(out)", "nested"),
    "terabytes of nothing": ("finish(); open(f'{out}/a', 'w').truncate(1 << 43)", "is empty"),
    "endless seconds": ("finish(seconds=1e400)", "no duration"),
    "a huge accuracy": ("finish(metrics={'accuracy': 10**400})", "number"),
}
"""What a job left as its output, and what is said of it."""


def run(store: Store, image: str, script: str) -> StageOutcome:
    executor = DockerExecutor(
        site_of(store),
        Terms(image=image, memory=256 * MIB, shm=16 * MIB),
        command=("python3", "-I", "-S", "-c", HONEST + script),
        environ=dict(os.environ),
    )
    orders = Orders(poll_s=0.02, pause_s=0.05, retries=0)
    outcome = run_plan(PLANS["single"](), store, executor, sink=lambda _: None, orders=orders)
    return outcome.stages[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "home")


@pytest.mark.parametrize("script", HARMLESS.values(), ids=HARMLESS)
def test_what_a_job_does_beside_its_output_stops_no_run(
    script: str, store: Store, runner_image: str
) -> None:
    assert run(store, runner_image, script).state == "done"


@pytest.mark.parametrize(("script", "why"), REFUSED.values(), ids=REFUSED)
def test_an_output_that_cannot_be_published_is_refused_and_made_again(
    script: str, why: str, store: Store, runner_image: str
) -> None:
    refused = run(store, runner_image, script)
    again = run(store, runner_image, "finish()")

    assert refused.state == "failed"
    assert why in refused.reason
    assert again.state == "done"


def test_no_program_link_or_open_file_of_a_job_is_left(
    store: Store, runner_image: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    script = f"""
finish()
for folder in (out, scratch):
    open(f"{{folder}}/program", "w")
    os.chmod(f"{{folder}}/program", 0o6777)
os.symlink("{target}", f"{{scratch}}/checkpoint.partial")
os.remove(f"{{out}}/result.json")
"""

    run(store, runner_image, script)

    left = [path for path in store.layout.home.rglob("*") if "cache" not in path.parts]
    modes = {path: path.lstat().st_mode for path in left}
    assert any(path.name == "program" for path in left)
    assert not [path for path in left if stat.S_ISLNK(modes[path])]
    assert not [path for path in left if modes[path] & (stat.S_ISUID | stat.S_ISGID | 0o022)]


def test_others_cannot_reach_what_a_job_makes_while_it_runs(
    store: Store, runner_image: str
) -> None:
    run(store, runner_image, "finish()")

    around = (store.layout.scratch, store.layout.cache, *store.layout.attempts.iterdir())
    assert not any(folder.stat().st_mode & stat.S_IRWXO for folder in around)
