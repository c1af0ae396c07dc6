"""The promises of `Executor`, kept by every row of the registry."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from fake_jobs import Bench, order

from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Phase, Site
from ddspec.executors.registry import EXECUTORS, make_executor

SLEEP = "trap 'exit 143' TERM; touch $OUT/ready; while :; do sleep 0.01; done"


def until(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} does not appear"
        time.sleep(0.002)


def started(bench: Bench, attempt: str = "one") -> None:
    until(bench.out(attempt) / "ready")


def test_every_executor_of_the_registry_is_under_contract(bench: Bench) -> None:
    site = Site("id", Path("/a"), Path("/s"), Path)

    names = {make_executor(name, site).name for name in EXECUTORS}

    assert names == set(EXECUTORS)
    assert bench.executor().name in EXECUTORS


def test_an_unknown_executor_is_a_usage_error() -> None:
    with pytest.raises(DdspecError, match="one of: docker, local") as caught:
        make_executor("cloud", Site("id", Path("/a"), Path("/s"), Path))
    assert caught.value.exit == Exit.USAGE


def test_preparing_touches_nothing_and_is_repeatable(bench: Bench) -> None:
    executor = bench.executor()

    assert executor.prepare(order("one")) == executor.prepare(order("one"))
    assert list(bench.store.layout.attempts.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "phase", "code"),
    [
        pytest.param("exit 0", Phase.DONE, 0, id="done"),
        pytest.param("exit 1", Phase.FAILED, 1, id="fault"),
        pytest.param("exit 64", Phase.FAILED, 64, id="bad job"),
        pytest.param("exit 75", Phase.FAILED, 75, id="try again"),
        pytest.param("exit 143", Phase.PREEMPTED, 143, id="checkpointed"),
        pytest.param("kill -TERM $$", Phase.PREEMPTED, 143, id="terminated"),
        pytest.param("kill -KILL $$", Phase.LOST, 137, id="killed"),
        pytest.param("kill -SEGV $$", Phase.LOST, 139, id="crashed"),
        pytest.param("exec /does/not/exist", Phase.FAILED, 127, id="no such command"),
    ],
)
def test_the_exit_code_decides(bench: Bench, script: str, phase: Phase, code: int) -> None:
    executor = bench.executor(script)

    state = bench.ended(executor, bench.submit(executor))

    assert (state.phase, state.exit) == (phase, code)


def test_a_second_submission_of_an_attempt_starts_nothing(bench: Bench) -> None:
    executor = bench.executor("echo ran >> $OUT/ran; sleep 0.2")

    first = bench.submit(executor)
    second = bench.submit(bench.executor("echo ran >> $OUT/ran"))
    bench.ended(executor, first)
    third = bench.submit(executor)

    assert first == second == third
    assert (bench.out() / "ran").read_text() == "ran\n"


def test_another_instance_can_poll_read_and_cancel(bench: Bench) -> None:
    handle = bench.submit(bench.executor(f"echo hello >&2; {SLEEP}"))
    started(bench)

    other = bench.executor()
    alive = other.poll([handle])[handle].phase
    other.cancel(handle)

    assert alive is Phase.RUNNING
    assert bench.ended(other, handle).phase is Phase.PREEMPTED
    # the shell whose `sleep` was killed may say so after it
    assert other.logs(handle).text.startswith("hello\n")


def test_cancelling_is_idempotent_and_final(bench: Bench) -> None:
    executor = bench.executor(SLEEP)
    handle = bench.submit(executor)
    started(bench)

    executor.cancel(handle)
    executor.cancel(handle)
    state = bench.ended(executor, handle)
    executor.cancel(handle)
    executor.cancel(handle, force=True)

    assert executor.poll([handle])[handle] == state


def test_a_deaf_job_can_be_killed(bench: Bench) -> None:
    executor = bench.executor("trap '' TERM; touch $OUT/ready; while :; do sleep 0.01; done")
    handle = bench.submit(executor)
    started(bench)

    executor.cancel(handle)
    alive = executor.poll([handle])[handle].phase
    executor.cancel(handle, force=True)

    assert alive is Phase.RUNNING
    assert bench.ended(executor, handle).phase is Phase.LOST


def test_logs_hold_what_was_printed_from_any_place_on(bench: Bench) -> None:
    executor = bench.executor("printf abcdef >&2; printf xyz")
    handle = bench.submit(executor)
    bench.ended(executor, handle)

    texts = [executor.logs(handle, offset).text for offset in (0, 2, 6, -2, -99)]

    assert texts == ["abcdef", "cdef", "", "ef", "abcdef"]
    assert executor.logs(handle).offset == 6
    assert executor.logs(handle, stream="stdout").text == "xyz"


def test_what_lives_is_found_by_the_store(bench: Bench) -> None:
    executor = bench.executor(SLEEP)
    handle = bench.submit(executor, "living")
    bench.ended(executor, bench.submit(bench.executor(), "ended"))
    started(bench, "living")

    assert bench.executor().find(bench.store.id) == {"living": handle}
    assert bench.executor().find("another store") == {}


def test_an_attempt_whose_submitter_died_is_settled(bench: Bench) -> None:
    executor = bench.executor(SLEEP)
    handle = bench.submit(executor)

    assert bench.executor().settle("one") == handle


def test_a_settled_attempt_that_never_started_never_will(bench: Bench) -> None:
    executor = bench.executor("touch $OUT/ran")

    assert executor.settle("one") is None
    with pytest.raises(DdspecError) as caught:
        bench.submit(executor)
    assert executor.settle("one") is None
    assert caught.value.exit == Exit.UNABLE
    assert not (bench.out() / "ran").exists()


def test_what_is_left_of_a_job_can_be_taken_down_and_still_asked_for(bench: Bench) -> None:
    executor = bench.executor("printf told >&2; printf more; touch $OUT/made; exit 3")
    handle = bench.submit(executor)
    state = bench.ended(executor, handle)

    places = [bench.executor().retire(handle) for _ in range(2)]

    other = bench.executor()
    assert places[0] == places[1]
    assert other.poll([handle])[handle] == state
    assert other.logs(handle, 1).text == "old"
    assert other.logs(handle, stream="stdout").text == "more"
    assert bench.submit(other) == handle
    assert (bench.out() / "made").stat().st_uid == os.geteuid()


def test_a_job_that_is_claimed_is_not_swept(bench: Bench) -> None:
    executor = bench.executor(SLEEP)
    handle = bench.submit(executor)
    started(bench)

    swept = bench.executor().sweep(lambda: ["one"])

    assert list(swept) == []
    assert executor.poll([handle])[handle].phase is Phase.RUNNING
