"""Local jobs take GPUs by locks that end with their last process, on a folder of all users."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_jobs import PATIENCE_S, order

from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import JobOrder, NoRoom, Phase, Terms
from ddspec.executors.gpu_locks import SHARED_MODE, lock, locked
from ddspec.executors.local import LocalExecutor
from ddspec.run.dispatch import site_of
from ddspec.store.store import open_store

A, B = "GPU-a", "GPU-b"
TAKER = (
    "import os, sys, time; from pathlib import Path; from ddspec.executors.gpu_locks import lock; "
    "os.setgid(int(sys.argv.pop(1))); os.setuid(int(sys.argv.pop(1))); "
    "print(lock(sys.argv[2:], Path(sys.argv[1]))[0], end='', flush=True)"
)
HOLDER = f"{TAKER}; print(); sys.stdout.flush(); time.sleep(60)"


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.002)


def executor(home: Path, script: str, gpus: tuple[str, ...] = (A,)) -> LocalExecutor:
    environ = {"PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": "5,6"}
    return LocalExecutor(
        site_of(open_store(home / "store")),
        Terms(gpus=gpus),
        command=("sh", "-c", script, "job"),
        environ=environ,
        locks=home / "locks",
    )


def on_gpu(attempt: str = "one") -> JobOrder:
    plain = order(attempt)
    return JobOrder(attempt, plain.document.model_copy(update={"device": "cuda"}))


def test_each_gets_the_first_gpu_that_is_free_and_the_last_one_none(tmp_path: Path) -> None:
    first, one = lock((A, B), tmp_path / "locks")
    second, two = lock((A, B), tmp_path / "locks")
    with pytest.raises(NoRoom, match=f"taken by a local job: {A}, {B}"):
        lock((A, B), tmp_path / "locks")
    os.close(one)
    third, three = lock((A, B), tmp_path / "locks")

    os.close(two)
    os.close(three)
    assert (first, second, third) == (A, B, A)


def test_looking_whether_a_gpu_is_held_does_not_hold_it(tmp_path: Path) -> None:
    before = locked(A, tmp_path / "locks")
    _, file = lock((A,), tmp_path / "locks")
    during = locked(A, tmp_path / "locks"), locked(B, tmp_path / "locks")
    os.close(file)

    assert (before, during, locked(A, tmp_path / "locks")) == (False, (True, False), False)


def test_a_holder_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    argv = (sys.executable, "-c", HOLDER, str(os.getgid()), str(os.getuid()), str(folder), A)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        held = locked(A, folder)
        holder.kill()

    assert held
    assert not locked(A, folder)


def test_what_all_users_share_is_for_all_users_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        _, file = lock((A,), tmp_path / "locks")
    finally:
        restored = os.umask(before)
    os.close(file)

    assert restored == 0o077
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == SHARED_MODE
    assert stat.S_IMODE((tmp_path / "locks" / A).stat().st_mode) == 0o444


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_respects_the_lock_and_can_take_it() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "locks"
        _, file = lock((A,), folder)
        argv = (sys.executable, "-c", TAKER, "65534", "65534", str(folder), A, B)
        taken = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
        os.close(file)

    assert taken.stdout.decode() == B


def as_link(path: Path) -> None:
    (path.parent / "target").mkdir(exist_ok=True)
    path.symlink_to(path.parent / "target")


def as_private(path: Path) -> None:
    path.mkdir(0o700)


def as_file(path: Path) -> None:
    path.write_text("")


@pytest.mark.parametrize("make", [as_link, as_private, as_file])
def test_a_folder_that_somebody_else_laid_out_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "locks")

    with pytest.raises(DdspecError, match=f"cannot use {tmp_path}/locks, which says") as refused:
        lock((A,), tmp_path / "locks")
    assert refused.value.exit is Exit.UNABLE


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


def as_second_name(path: Path) -> None:
    target = path.parent.parent / "of another program"
    target.write_text("")
    path.hardlink_to(target)


@pytest.mark.parametrize("make", [as_link, as_private, as_pipe, as_second_name])
def test_a_file_that_could_be_another_one_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    os.close(lock((B,), tmp_path / "locks")[1])
    make(tmp_path / "locks" / A)

    with pytest.raises(DdspecError, match=f"cannot use {tmp_path}/locks/{A}, which says"):
        lock((A,), tmp_path / "locks")


def test_a_lock_on_a_file_that_was_tidied_away_is_none(tmp_path: Path) -> None:
    _, stale = lock((A,), tmp_path / "locks")
    (tmp_path / "locks" / A).unlink()
    _, file = lock((A,), tmp_path / "locks")

    assert locked(A, tmp_path / "locks")
    os.close(stale)
    assert locked(A, tmp_path / "locks")
    os.close(file)


def test_no_open_file_is_left_when_there_is_no_room(tmp_path: Path) -> None:
    _, file = lock((A,), tmp_path / "locks")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(NoRoom):
        lock((A,), tmp_path / "locks")
    locked(A, tmp_path / "locks")

    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(file)


def test_a_job_sees_the_gpu_that_it_holds_and_holds_it_to_its_end(tmp_path: Path) -> None:
    bench = executor(
        tmp_path, 'printf "$CUDA_VISIBLE_DEVICES" > gpu; while [ ! -e go ]; do :; done'
    )
    root = bench.site.attempts / "one"

    handle = bench.submit(bench.prepare(on_gpu()))
    until(lambda: (root / "gpu").exists() and bool((root / "gpu").read_text()))
    held = locked(A, bench.locks)
    (root / "go").touch()
    until(lambda: bench.poll([handle])[handle].over)

    assert (held, (root / "gpu").read_text()) == (True, A)
    assert not locked(A, bench.locks)


def test_a_gpu_is_held_by_a_process_that_outlives_supervisor_and_submitter(tmp_path: Path) -> None:
    bench = executor(tmp_path, "sleep 60 & echo $! > runner; exec sleep 60")
    handle = bench.submit(bench.prepare(on_gpu()))
    runner = bench.site.attempts / "one" / "runner"
    until(lambda: runner.exists() and bool(runner.read_text()))

    group = os.getpgid(int(runner.read_text()))
    os.kill(group, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{group}/cmdline").read_bytes())
    orphaned = locked(A, bench.locks)
    bench.cancel(handle, force=True)
    until(lambda: bench.poll([handle])[handle].over)

    assert orphaned
    assert not locked(A, bench.locks)


def test_two_jobs_never_share_a_gpu_and_the_third_leaves_nothing(tmp_path: Path) -> None:
    bench = executor(tmp_path, 'printf "$CUDA_VISIBLE_DEVICES" > gpu; exec sleep 60', (A, B))
    handles = [bench.submit(bench.prepare(on_gpu(name))) for name in ("one", "two")]
    with pytest.raises(NoRoom):
        bench.submit(bench.prepare(on_gpu("three")))
    left = (bench.site.attempts / "three").exists()
    again = bench.submit(bench.prepare(on_gpu("two")))
    seen = [bench.site.attempts / name / "gpu" for name in ("one", "two")]
    until(lambda: all(path.exists() and path.read_text() for path in seen))
    for handle in handles:
        bench.cancel(handle, force=True)

    assert [path.read_text() for path in seen] == [A, B]
    assert (left, again) == (False, handles[1])
    until(lambda: all(state.over for state in bench.poll(handles).values()))


def without_terms(bench: LocalExecutor) -> tuple[LocalExecutor, JobOrder]:
    return replace(bench, terms=Terms()), on_gpu()


def on_the_processor(bench: LocalExecutor) -> tuple[LocalExecutor, JobOrder]:
    return bench, order("one")


@pytest.mark.parametrize("change", [without_terms, on_the_processor])
def test_a_job_that_needs_none_or_may_choose_holds_none(
    tmp_path: Path, change: Callable[[LocalExecutor], tuple[Any, JobOrder]]
) -> None:
    bench, wanted = change(executor(tmp_path, 'printf "$CUDA_VISIBLE_DEVICES" > gpu'))

    handle = bench.submit(bench.prepare(wanted))
    until(lambda: bench.poll([handle])[handle].over)

    assert bench.poll([handle])[handle].phase is Phase.DONE
    assert (bench.site.attempts / "one" / "gpu").read_text() == "5,6"
    assert not (tmp_path / "locks").exists()


def test_jobs_that_fight_for_one_gpu_have_it_one_after_the_other(tmp_path: Path) -> None:
    script = 'mkdir "$0/alone" || echo shared >> "$0/fault"; sleep .02; rmdir "$0/alone"'
    folder = str(tmp_path)
    bench = replace(
        executor(tmp_path, ""), command=("sh", "-c", script.replace("$0", folder), "job")
    )
    rivals = [replace(bench, _children=set()) for _ in range(2)]
    handles: list[str] = []
    waited = 0

    def submit(rival: LocalExecutor, name: str) -> None:
        nonlocal waited
        while True:
            try:
                handles.append(rival.submit(rival.prepare(on_gpu(name))))
                return
            except NoRoom:
                waited += 1
                time.sleep(0.002)

    for turn in range(20):
        submit(rivals[turn % 2], f"job{turn}")
    until(lambda: all(rivals[turn % 2].poll([h])[h].over for turn, h in enumerate(handles)))

    assert waited > 0
    assert not (tmp_path / "fault").exists()
