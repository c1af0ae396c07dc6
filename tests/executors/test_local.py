"""What only jobs on this machine do: groups, supervisors, and numbers that are used again."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_jobs import Bench

from ddspec import host
from ddspec.errors import DdspecError
from ddspec.executors.base import Phase
from ddspec.executors.local import COMMAND, PASSED_ON
from ddspec.host import ProcessId, this_process


@pytest.fixture
def bench(local_bench: Bench) -> Bench:
    return local_bench


def until(path: Path) -> str:
    end = time.monotonic() + 20
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end, f"{path.name} does not appear"
        time.sleep(0.002)
    return path.read_text()


def pid_of(handle: str) -> int:
    return int(json.loads(handle)[2])


def root_of(bench: Bench) -> Path:
    return bench.store.layout.attempts / "one"


def test_a_job_sees_its_layout_and_no_more_of_the_caller_than_is_listed(bench: Bench) -> None:
    executor = bench.executor(
        'env > env; echo "$@" > args; ls -d inputs/* job/* output > files; pwd > cwd'
    )

    bench.ended(executor, bench.submit(executor))
    names = {line.partition("=")[0] for line in (root_of(bench) / "env").read_text().splitlines()}

    root, layout = root_of(bench), bench.store.layout
    assert (root / "args").read_text() == f"--root {root} --scratch {layout.scratch}\n"
    assert (root / "cwd").read_text() == f"{root}\n"
    assert "job/job.json" in (root / "files").read_text().split()
    assert "OMP_NUM_THREADS=3" in (root / "env").read_text()
    assert "SECRET" not in names
    assert names - {"PWD", "SHLVL", "_", "OLDPWD", "PYTHONHASHSEED"} <= {
        *PASSED_ON, "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    }  # fmt: skip


def test_a_job_leads_a_session_of_its_own_and_has_no_terminal(bench: Bench) -> None:
    executor = bench.executor("read line || echo none > stdin; sleep 5")
    handle = bench.submit(executor)

    assert until(root_of(bench) / "stdin") == "none\n"
    assert os.getsid(pid_of(handle)) == pid_of(handle) != os.getsid(0)


def test_a_runner_whose_supervisor_was_killed_still_counts_as_alive(bench: Bench) -> None:
    executor = bench.executor("echo $$ > runner; sleep 5 & wait")
    handle = bench.submit(executor)
    until(root_of(bench) / "runner")

    os.kill(pid_of(handle), signal.SIGKILL)
    time.sleep(0.05)
    orphaned = executor.poll([handle])[handle].phase
    executor.cancel(handle, force=True)

    assert orphaned is Phase.RUNNING
    assert bench.ended(executor, handle).phase is Phase.LOST


def test_what_a_runner_leaves_running_ends_with_it(bench: Bench) -> None:
    executor = bench.executor("sleep 60 & echo $! > straggler; exit 0")

    state = bench.ended(executor, bench.submit(executor))

    assert state.phase is Phase.DONE
    assert host.birth_of(int((root_of(bench) / "straggler").read_text())) is None


def test_a_polite_signal_to_the_group_does_not_lose_the_exit_code(bench: Bench) -> None:
    executor = bench.executor(
        "trap 'exit 7' TERM; touch ready; echo > r; while :; do sleep .01; done"
    )
    handle = bench.submit(executor)
    until(root_of(bench) / "r")

    os.killpg(pid_of(handle), signal.SIGTERM)

    assert bench.ended(executor, handle).exit == 7


@pytest.mark.parametrize(
    ("place", "value", "phase", "intact"),
    [
        pytest.param(0, "elsewhere", Phase.UNREACHABLE, True, id="another machine"),
        pytest.param(1, "earlier", Phase.LOST, False, id="the machine was restarted"),
        pytest.param(3, "0", Phase.LOST, True, id="the number is used again"),
    ],
)
def test_a_handle_is_more_than_a_number(
    bench: Bench, place: int, value: str, phase: Phase, intact: bool
) -> None:
    executor = bench.executor("sleep 5")
    parts = json.loads(bench.submit(executor))
    forged = json.dumps([*parts[:place], value, *parts[place + 1 :]])

    state = executor.poll([forged])[forged]
    executor.cancel(forged, force=True)

    assert (state.phase, state.intact) == (phase, intact)
    assert executor.poll([json.dumps(parts)])[json.dumps(parts)].phase is Phase.RUNNING


def test_nothing_is_imported_from_the_folder_of_a_job(bench: Bench) -> None:
    root_of(bench).mkdir()
    (root_of(bench) / "planted.py").write_text("print('imported')")
    executor = replace(bench.executor(""), command=(*COMMAND[:-1], "planted"))

    bench.ended(executor, bench.submit(executor))

    assert "No module named planted" in (root_of(bench) / "stderr").read_text()


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"12\nbirth\n", b"x\ny\nz\nw\n"])
def test_a_handle_that_was_lost_with_the_machine_is_that_of_no_job(
    bench: Bench, content: bytes
) -> None:
    root_of(bench).mkdir()
    (root_of(bench) / "handle").write_bytes(content)
    executor = bench.executor("")

    assert executor.settle("one") is None
    assert executor.find(bench.store.id) == {}


@pytest.mark.parametrize("handle", ["", "{}", "[1]", '["h", "b", "x", "y", "one"]'])
def test_a_handle_of_another_executor_is_refused(bench: Bench, handle: str) -> None:
    with pytest.raises(DdspecError, match="names no job on a machine"):
        bench.executor("").poll([handle])


def test_a_host_that_ignores_signals_does_not_teach_it_its_jobs(bench: Bench) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    executor = bench.executor("echo > r; sleep 20")
    try:
        handle = bench.submit(executor)
    finally:
        signal.signal(signal.SIGTERM, before)
    until(root_of(bench) / "r")

    executor.cancel(handle)

    assert bench.ended(executor, handle).phase is Phase.PREEMPTED


def test_ps_tells_the_same_as_proc() -> None:
    me = os.getpid()
    group = os.getpgid(0)

    assert host.birth_by_ps(me) is not None
    assert host.birth_by_ps(me) == host.birth_by_ps(me)
    assert host.birth_by_ps(2**22 - 1) is None
    assert set(host.members_by_ps(group)) >= {me} <= set(host._members(group))


def test_a_process_is_known_by_its_birth() -> None:
    me = this_process()

    assert me.alive()
    assert not ProcessId(me.host, me.boot, me.pid, "0").alive()
    assert not ProcessId(me.host, "earlier", me.pid, me.birth).alive()
    assert not ProcessId("elsewhere", me.boot, me.pid, me.birth).alive()


@pytest.mark.parametrize(
    ("line", "birth"),
    [
        pytest.param(f"7 (a) b (c)) S {' '.join(map(str, range(4, 53)))}", "22", id="proc"),
        pytest.param("Fri Nov 20  09:00:00 2026 ", "Fri Nov 20 09:00:00 2026", id="ps"),
    ],
)
def test_a_birth_is_read_from_either_source(line: str, birth: str) -> None:
    assert host.parse_birth(line) == birth
