"""`ddspec logs`: what runners print and record, of stages that are over and that go on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_cli
import fake_plans
import pytest
from fake_cli import Shell

from ddspec.errors import Exit
from ddspec.executors.base import JobOrder
from ddspec.host import ProcessId, this_process
from ddspec.plan.ir import Stage
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan
from ddspec.run.follow import reader_of
from ddspec.run.logs import PIECE
from ddspec.run.places import places_of
from ddspec.run.tries import tries_of
from ddspec.store.claims import Claim
from ddspec.store.store import Store, open_store
from ddspec.wire.job import Job, JobStage

CHAIN = fake_plans.chain()
KEYS = {stage.label: fake_plans.key_of(stage) for stage in CHAIN}
MATRIX = fake_cli.SPEC + "matrix:\n  loops.outer_loops: [2, 3]\n"


def behave(shell: Shell, **behaviours: dict[str, Any]) -> None:
    """Tell runners how to treat the stage of each label (`__` for a slash)."""
    script = {label.replace("__", "/"): told for label, told in behaviours.items()}
    (shell.folder / "script.json").write_text(json.dumps(script))


def carry_out(shell: Shell, stages: Sequence[Stage] = CHAIN) -> Store:
    """Run stages with fake runners."""
    store = open_store(shell.home)
    executor = fake_plans.executor_of(store, shell.folder / "script.json", shell.folder / "log")
    orders = Orders(jobs=1, poll_s=0.01, pause_s=0.01, retries=1)
    run_plan(stages, store, executor, sink=lambda event: None, orders=orders)
    return store


@contextmanager
def running(shell: Shell, label: str) -> Iterator[None]:
    """Run the chain at the side of the block, which begins when a stage is claimed."""
    store = open_store(shell.home)
    begun, known = threading.Event(), KEYS[label]
    executor = fake_plans.executor_of(store, shell.folder / "script.json", shell.folder / "log")

    def sink(event: object) -> None:
        if known in store.claims.keys():  # noqa: SIM118  # not a mapping
            begun.set()

    def run() -> None:
        orders = Orders(jobs=1, poll_s=0.01, pause_s=0.01, retries=1)
        run_plan(CHAIN, store, executor, sink=sink, orders=orders)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(20)
        yield
    finally:
        thread.join()


def test_a_finished_stage_shows_its_progress_its_words_and_its_end(shell: Shell) -> None:
    behave(shell, first={"steps": 3, "stderr": "a warning\n"})
    carry_out(shell)

    lines = shell("logs", KEYS["first"][:12]).out.splitlines()

    assert lines[0].startswith(f"first · {KEYS['first'][:12]} · attempt 1 of 1 · local on ")
    assert lines[1:5] == [
        "  started",
        "  1 of 3 steps · 0.0 s",
        "  2 of 3 steps · 0.0 s",
        "  3 of 3 steps · 0.0 s",
    ]
    assert lines[5] == "  | a warning"
    assert lines[6].startswith("  published after ")


def test_much_progress_is_thinned_unless_all_is_asked_for(shell: Shell) -> None:
    behave(shell, first={"steps": 100})
    carry_out(shell, CHAIN[:1])

    few = shell("logs", KEYS["first"]).out.splitlines()
    every = shell("logs", KEYS["first"], "--events").out.splitlines()

    assert 10 < len(few) < 20
    assert "  100 of 100 steps · 0.0 s" in few
    assert sum("of 100 steps" in line for line in every) == 100


def test_only_what_was_printed_can_be_asked_for(shell: Shell) -> None:
    behave(shell, first={"steps": 3, "stderr": "a warning\n"})
    carry_out(shell, CHAIN[:1])

    lines = shell("logs", KEYS["first"], "--stderr").out.splitlines()

    assert [line for line in lines[1:-1]] == ["  | a warning"]


def test_the_words_of_other_stages_of_a_job_are_left_out(shell: Shell) -> None:
    shell.behave()
    script = json.loads((shell.folder / "script.json").read_text())
    for part in ("train", "test"):
        script[f"prepare/{part}"] = {"stderr": f"prepare/{part}: of {part}\n  and more of {part}\n"}
    (shell.folder / "script.json").write_text(json.dumps(script))
    shell("run", "small.yaml")

    out = shell("logs", "small.yaml", "prepare/test").out

    assert "  | prepare/test: of test\n  |   and more of test\n" in out
    assert "of train" not in out


def test_a_failure_is_found_without_being_named(shell: Shell) -> None:
    shell.behave(distill=1)
    shell("run", "small.yaml")

    ended = shell("logs", "small.yaml")

    assert ended.code == Exit.DONE
    assert ended.out.startswith("distill · ")
    assert "  | distill ends with 1\n" in ended.out
    assert "the runner failed, exit code 1" in ended.out


def test_each_attempt_has_a_log_of_its_own(shell: Shell) -> None:
    behave(shell, first={"steps": 2, "exits": [75]})
    carry_out(shell, CHAIN[:1])

    first = shell("logs", KEYS["first"], "--attempt", "1").out
    last = shell("logs", KEYS["first"]).out
    every = shell("logs", KEYS["first"], "--json").json["stages"][0]["attempts"]

    assert "attempt 1 of 2" in first
    assert "  | first ends with 75" in first
    assert "again after" in first
    assert "attempt 2 of 2" in last
    assert "ends with 75" not in last
    assert "  started, goes on from 2 of 2 steps\n" in last
    assert [one["outcome"] for one in every] == ["again", "published"]
    assert [[event["event"] for event in one["events"]] for one in every] == [
        ["started", "progress", "progress"],
        ["started"],
    ]
    assert [one["stderr"] for one in every] == [["first ends with 75"], []]


def test_following_goes_through_a_retry_to_the_end(shell: Shell) -> None:
    behave(shell, first={"steps": 5, "step_s": 0.05, "exits": [75]})

    with running(shell, "first"):
        ended = shell("logs", KEYS["first"], "--follow")

    assert ended.code == Exit.DONE
    assert "  | first ends with 75\n" in ended.out
    assert "attempt 2 of 2" in ended.out
    assert ended.out.endswith("first: done\n")


def test_following_a_stage_that_fails_says_so_with_its_exit_code(shell: Shell) -> None:
    behave(shell, first={"steps": 5, "step_s": 0.05, "exits": [1]})

    with running(shell, "first"):
        ended = shell("logs", KEYS["first"], "--follow")

    assert ended.code == Exit.FAILED
    assert ended.out.endswith("first: failed; `ddspec run` tries it again\n")


def test_following_waits_for_a_stage_whose_turn_comes_later(shell: Shell) -> None:
    behave(shell, first={"steps": 5, "step_s": 0.1}, second={"stderr": "at last\n"})

    with running(shell, "first"):
        shell.home.joinpath("journal", KEYS["third"]).mkdir()  # so that its key is known
        ended = shell("logs", KEYS["third"], "--follow")

    assert ended.code == Exit.DONE
    assert ended.out.startswith("  waits: a run counts on it\n")
    assert "third · " in ended.out


def test_a_job_whose_run_is_gone_is_followed_to_its_end(shell: Shell) -> None:
    behave(shell, first={"steps": 10, "step_s": 0.03})
    claim_by_a_dead_run(shell)

    ended = shell("logs", KEYS["first"], "--follow")

    assert ended.code == Exit.DONE
    assert "10 of 10 steps" in ended.out


def test_ctrl_c_leaves_the_job_alone(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        raise KeyboardInterrupt

    behave(shell, first={"steps": 2000, "step_s": 0.02})
    claim_by_a_run(shell, this_process())
    monkeypatch.setattr("ddspec.cli.logs.time.sleep", sleep)

    ended = shell("logs", KEYS["first"], "--follow")

    store = open_store(shell.home)
    executor = fake_plans.executor_of(store, shell.folder / "script.json", shell.folder / "log")
    living = executor.find(store.id)
    for handle in living.values():
        executor.cancel(handle, force=True)
    assert ended.code == Exit.INTERRUPTED
    assert list(living) == ["handed-over"]


def claim_by_a_dead_run(shell: Shell) -> None:
    """Start the first stage as a run would that dies right afterwards."""
    claim_by_a_run(shell, replace(this_process(), birth="never"))


def claim_by_a_run(shell: Shell, owner: ProcessId) -> None:
    """Start the first stage for a run."""
    store = open_store(shell.home)
    executor = fake_plans.executor_of(store, shell.folder / "script.json", shell.folder / "log")
    part = JobStage(key=KEYS["first"], label="first", work=CHAIN[0].work, inputs={})
    order = JobOrder("handed-over", Job(stages=(part,)))
    handle = executor.submit(executor.prepare(order))
    store.claims.take(Claim(KEYS["first"], "first", "handed-over", "local", handle, owner, 0, 1.0))


def test_following_what_nobody_works_on_ends_at_once(shell: Shell) -> None:
    ended = shell("logs", "small.yaml", "distill", "--follow", "--home", str(made(shell)))

    assert ended.code == Exit.FAILED
    assert ended.out == "distill: nothing has worked on it here; `ddspec run` does\n"


def made(shell: Shell) -> Path:
    """Return a store without anything in it."""
    return open_store(shell.folder / "empty").layout.home


def test_several_stages_are_followed_at_once_and_named(shell: Shell) -> None:
    shell("run", "small.yaml")

    ended = shell("logs", "small.yaml", "pool/*", "--follow")

    assert ended.code == Exit.DONE
    assert ended.out.count("pool/0: done\n") == 1
    assert ended.out.count("pool/1: done\n") == 1


HOSTILE = {
    "colours": ("\x1b[31mred\n", "  | \ufffd[31mred"),
    "no end": ("x" * 3_000_000, "  | " + "x" * 1000),
    "bars": ("1%\r2%\r3%\n", "  | 3%"),
    "windows": ("a\r\nb\n", "  | b"),
    "right to left": ("\u202eevil\n", "  | \ufffdevil"),
    "blank lines": ("\n\na\n", "  | a"),
}


@pytest.mark.parametrize(("text", "seen"), HOSTILE.values(), ids=HOSTILE)
def test_what_a_runner_prints_cannot_steer_the_terminal(shell: Shell, text: str, seen: str) -> None:
    behave(shell, first={"stderr": text})
    carry_out(shell, CHAIN[:1])

    out = shell("logs", KEYS["first"]).out

    assert seen in out
    assert "\x1b" not in out
    assert "\r" not in out


def test_a_log_of_any_length_is_read_as_far_as_it_is_shown(shell: Shell) -> None:
    store = carry_out(shell, CHAIN[:1])
    (attempt,) = store.layout.attempts.iterdir()
    (attempt / "stderr").write_text("é\n" * PIECE)
    reader = reader_of(store, tries_of(store, KEYS["first"]), 0, places_of(store))

    first = next(reader.lines(final=True))

    assert first == "é"
    assert reader.text_at <= PIECE


def test_no_character_is_torn_where_pieces_of_a_log_meet(shell: Shell) -> None:
    store = carry_out(shell, CHAIN[:1])
    (attempt,) = store.layout.attempts.iterdir()
    (attempt / "stderr").write_bytes(b"x" + "é".encode() * PIECE + b"\xc3")

    out = shell("logs", KEYS["first"]).out

    assert out.count("é") == PIECE
    assert out.count("\ufffd") == 1


def test_bytes_that_are_no_text_are_marked(shell: Shell) -> None:
    store = carry_out(shell, CHAIN[:1])
    (attempt,) = store.layout.attempts.iterdir()
    (attempt / "stderr").write_bytes(b"caf\xe9 \xc3\xa9\n")

    assert "  | caf\ufffd é\n" in shell("logs", KEYS["first"]).out


def test_a_record_or_text_that_is_gone_or_odd_leaves_the_rest(shell: Shell) -> None:
    store = carry_out(shell, CHAIN[:1])
    (attempt,) = store.layout.attempts.iterdir()
    (attempt / "stderr").unlink()
    (attempt / "stderr").symlink_to("/etc/passwd")
    (attempt / "job" / "job.json").write_text("{")
    store.layout.events(KEYS["first"]).write_text("not an event\n")

    ended = shell("logs", KEYS["first"])

    assert ended.code == Exit.DONE
    assert len(ended.out.splitlines()) == 2
    assert "root" not in ended.out


def test_a_damaged_journal_is_no_reason_to_say_nothing(shell: Shell) -> None:
    store = carry_out(shell, CHAIN[:1])
    for path in store.layout.journal(KEYS["first"]).iterdir():
        path.write_text("{")

    ended = shell("logs", KEYS["first"])

    assert (ended.code, "nothing has worked on it here" in ended.out) == (Exit.DONE, True)


WRONG = {
    "a stage that is not there": (["small.yaml", "distil"], Exit.USAGE, "did you mean `distill`?"),
    "no glob matches": (["small.yaml", "pol/*"], Exit.USAGE, "no stage is called"),
    "a key that is not there": (["0123456789"], Exit.USAGE, "no key begins"),
    "a file that is not there": (["nowhere.yaml", "distill"], Exit.INVALID, "nowhere.yaml"),
    "a key with a stage": (["0123456789", "distill"], Exit.USAGE, "is a key"),
    "an attempt that is not there": (
        ["small.yaml", "distill", "--attempt", "3"],
        Exit.USAGE,
        "was never tried here",
    ),
    "both alone": (["small.yaml", "distill", "--events", "--stderr"], Exit.USAGE, "exclude"),
    "to follow as JSON": (
        ["small.yaml", "distill", "--follow", "--json"],
        Exit.USAGE,
        "no `--json`",
    ),
    "nothing to show": (["small.yaml"], Exit.USAGE, "name a stage"),
    "no store": (["small.yaml", "distill", "--home", "none"], Exit.UNABLE, "no store"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_shown_is_told(
    shell: Shell, arguments: list[str], code: Exit, said: str
) -> None:
    open_store(shell.home)

    ended = shell("logs", *arguments)

    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


NAMES = {
    "a label": ("distill@outer_loops-2", 1),
    "all of a kind": ("distill", 2),
    "a glob": ("distill@*", 2),
    "what variants share": ("pool/0@outer_loops-3", 1),
    "of all variants": ("evaluate/convnet2-w8/0@*", 2),
    "a folder of stages": ("evaluate", 7),
}


@pytest.mark.parametrize(("pattern", "count"), NAMES.values(), ids=NAMES)
def test_stages_of_a_matrix_are_named_as_people_do(shell: Shell, pattern: str, count: int) -> None:
    shell.write("matrix.yaml", MATRIX)
    made(shell)

    rows = shell("logs", "matrix.yaml", pattern, "--json", "--home", "empty").json["stages"]

    assert len(rows) == count
