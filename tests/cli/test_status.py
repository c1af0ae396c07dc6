"""`ddspec status`: who works on what, how far, and what comes next."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import fake_plans
import pytest
from fake_cli import Shell

from ddspec.errors import Exit
from ddspec.executors.base import JobOrder
from ddspec.host import ProcessId, this_process
from ddspec.store.claims import Claim
from ddspec.store.store import Store, open_store
from ddspec.wire.job import Job, JobStage

DEAD = replace(this_process(), birth="never")


def behave(shell: Shell, **behaviours: dict[str, Any]) -> None:
    (shell.folder / "script.json").write_text(json.dumps(behaviours))


def job_of(shell: Shell, owner: ProcessId, labels: Sequence[str] = ("first",)) -> Store:
    """Start one job, of a run that looks after it no further, and claim its stages."""
    store = open_store(shell.home)
    executor = fake_plans.executor_of(store, shell.folder / "script.json", shell.folder / "log")
    stages = [fake_plans.stage(label, fake_plans.select(n)) for n, label in enumerate(labels)]
    parts = [
        JobStage(key=fake_plans.key_of(one), label=one.label, work=one.work, inputs={})
        for one in stages
    ]
    order = JobOrder("at-work", Job(stages=tuple(parts)))
    handle = executor.submit(executor.prepare(order))
    for part in parts:
        begun = time.time() - 60
        store.claims.take(Claim(part.key, part.label, "at-work", "local", handle, owner, 0, begun))
    return store


def recorded(store: Store, label: str, what: str) -> None:
    """Wait until the runner has recorded something of a stage."""
    (key,) = [claim.key for claim in store.claims.all() if claim.label == label]
    for _ in range(1000):
        path = store.layout.events(key)
        if path.exists() and what in path.read_text():
            return
        time.sleep(0.01)
    raise AssertionError(f"{label} did not come to {what}")


def end(shell: Shell) -> None:
    store = open_store(shell.home)
    executor = fake_plans.executor_of(store, shell.folder / "script.json", shell.folder / "log")
    for handle in executor.find(store.id).values():
        executor.cancel(handle, force=True)


def test_a_stage_at_work_says_how_far_it_is_where_it_runs_and_what_it_takes(shell: Shell) -> None:
    behave(shell, first={"steps": 2000, "step_s": 0.02}, second={"steps": 1})
    store = job_of(shell, this_process(), ["first", "second", "third"])
    recorded(store, "first", '"done": 3')

    (first, *others) = shell("status", "--json").json["claims"]
    text = shell("status").out
    end(shell)

    assert first["state"] == "running"
    assert first["progress"]["total"] == 2000
    assert first["progress"]["done"] >= 3
    assert first["memory_bytes"] > 1 << 20
    assert first["job_pid"] > 1
    assert first["fate"] == ""
    assert 59 < first["seconds"] < 120
    assert [one["progress"] for one in others] == [None, None]
    assert " of 2,000 steps" in text
    assert f"process {first['job_pid']}, " in text
    assert "waits in its job" in text
    assert max(map(len, text.splitlines())) <= 100


FATES = {
    "its job lives": ({"steps": 2000, "step_s": 0.02}, "takes it over"),
    "its job is over": ({"steps": 1}, "takes what it made"),
    "its job was stopped": ({"exits": [143]}, "goes on from there"),
}


@pytest.mark.parametrize(("behaviour", "said"), FATES.values(), ids=FATES)
def test_of_what_a_dead_run_left_it_says_what_the_next_one_does(
    shell: Shell, behaviour: dict[str, Any], said: str
) -> None:
    behave(shell, first=behaviour)
    store = job_of(shell, DEAD)
    recorded(store, "first", "progress")
    if "step_s" not in behaviour:
        over = (store.layout.attempts / "at-work" / "exit").exists
        while not over():
            time.sleep(0.01)
        time.sleep(0.05)

    (claim,) = shell("status", "--json").json["claims"]
    text = shell("status").out
    end(shell)

    assert said in claim["fate"]
    assert said in text
    assert claim["owner_alive"] is False


def test_a_claim_without_a_job_is_of_a_run_that_died_before_it_began(shell: Shell) -> None:
    store = open_store(shell.home)
    store.claims.take(Claim("ab" * 32, "first", "never", "local", None, DEAD, 0, 1.0))

    (claim,) = shell("status", "--json").json["claims"]

    assert claim["state"] == "starting"
    assert claim["fate"] == "its run died before it began: the next `ddspec run` starts it"


def test_an_executor_of_a_later_version_is_no_obstacle(shell: Shell) -> None:
    store = open_store(shell.home)
    store.claims.take(Claim("ab" * 32, "first", "a", "cluster", "{7}", this_process(), 0, 1.0))

    (claim,) = shell("status", "--json").json["claims"]

    assert (claim["state"], claim["executor"]) == ("unknown", "cluster")


def test_living_runs_are_listed(shell: Shell) -> None:
    store = open_store(shell.home)

    with store.holds.held(this_process(), "digits", ["ab" * 32], time.time()):
        told = shell("status", "--json").json["runs"]
        text = shell("status").out

    assert [(run["name"], run["stages"]) for run in told] == [("digits", 1)]
    assert "run of digits, process" in text


def test_a_plan_says_what_is_made_what_failed_and_why_and_what_comes_next(shell: Shell) -> None:
    shell.behave(distill=1)
    shell("run", "small.yaml")

    text = shell("status", "small.yaml").out
    (plan,) = shell("status", "small.yaml", "--json").json["plans"]

    kinds = {one["kind"]: one for one in plan["kinds"]}
    assert kinds["pool"]["done"] == 2
    assert kinds["distill"]["failed"] == 1
    assert kinds["evaluate"]["blocked"] == 2
    assert kinds["evaluate"]["done"] == 3
    (failed,) = plan["failed"]
    assert failed["attempts"] == 1
    assert failed["reason"] == "the runner failed, exit code 1"
    assert failed["said"] == "distill ends with 1"
    assert plan["next"] == []
    assert text.startswith("small.yaml · 10 of 13 stages done\n")
    assert " failed     distill, once: the runner failed, exit code 1\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_plan_that_was_never_run_says_what_comes_first(shell: Shell) -> None:
    open_store(shell.home)

    (plan,) = shell("status", "small.yaml", "--json").json["plans"]

    assert plan["next"] == ["prepare/train", "prepare/test"]
    assert sum(one["waits"] for one in plan["kinds"]) == 13


def test_stages_that_are_at_work_are_told_apart_from_those_that_wait(shell: Shell) -> None:
    rows = shell("plan", "small.yaml", "--json").json["stages"]
    key = next(row["key"] for row in rows if row["label"] == "prepare/test")
    store = open_store(shell.home)
    claim = Claim(key, "prepare/test", "a", "local", None, this_process(), 0, time.time())
    store.claims.take(claim)

    (plan,) = shell("status", "small.yaml", "--json").json["plans"]

    (prepare,) = [one for one in plan["kinds"] if one["kind"] == "prepare"]
    assert (prepare["at work"], prepare["waits"]) == (1, 1)
    assert plan["next"] == ["prepare/train"]


def test_without_a_store_and_without_a_lock_all_waits(shell: Shell) -> None:
    own = (shell.folder / "small.yaml").read_text()
    folder = "{kind: folder, path: mine, size: 8, channels: 1}"
    shell.write("own.yaml", own.replace("{kind: digits, validation: 0.2}", folder))

    ended = shell("status", "own.yaml", "small.yaml")

    assert ended.code == Exit.DONE
    assert "its data are not locked: `ddspec lock own.yaml --data DIR`" in ended.out
    assert "small.yaml · 0 of 13 stages done" in ended.out
    assert not shell.home.exists()


def test_the_store_is_summed_up(shell: Shell) -> None:
    shell("run", "small.yaml")

    told = shell("status", "--json").json["store"]

    files = [path for path in (shell.home / "objects").rglob("*") if path.is_file()]
    assert told["outputs"] == 13
    assert told["bytes"] == sum(path.stat().st_size for path in files)
    assert told["free_bytes"] > 0


def test_labels_of_others_cannot_steer_the_terminal(shell: Shell) -> None:
    store = open_store(shell.home)
    owner = replace(this_process(), host="\x1b[31mhost")
    store.claims.take(Claim("ab" * 32, "\x1b]0;title", "a", "local", None, owner, 0, 1.0))

    out = shell("status").out

    assert "\x1b" not in out
    assert "]0;title" in out


def test_watching_draws_until_it_is_interrupted(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("ddspec.console.terminal.can_move", lambda stream, environ: True)
    monkeypatch.setattr("ddspec.cli.status.time.sleep", sleep)

    ended = shell("status", "--watch")

    assert ended.code == Exit.DONE
    assert len(naps) == 3
    assert "nothing is being worked on" in ended.out.replace("\n", " ")


WRONG = {
    "to watch where there is no terminal": (["--watch"], Exit.USAGE),
    "to watch as JSON": (["--watch", "--json"], Exit.USAGE),
    "a document that is not there": (["nowhere.yaml"], Exit.INVALID),
}


@pytest.mark.parametrize(("arguments", "code"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_shown_is_told(shell: Shell, arguments: list[str], code: Exit) -> None:
    assert shell("status", *arguments).code == code


def test_a_hundred_stages_of_one_job_take_one_row(shell: Shell) -> None:
    store = open_store(shell.home)
    for number in range(100):
        key = f"{number:064x}"
        label = f"evaluate/random/convnet2-w8/{number}"
        store.claims.take(Claim(key, label, "a", "local", None, this_process(), 0, 1.0))

    rows = [line for line in shell("status").out.splitlines() if "evaluate" in line]

    assert [row.split()[0] for row in rows] == ["evaluate/random/convnet2-w8/0..99"]
