"""What only jobs in containers do, on the engine that answers."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_engine import BASE, NAME, engine
from fake_jobs import Bench, order

from ddspec.engine.facts import facts_of
from ddspec.errors import DdspecError, Exit
from ddspec.executors import starting
from ddspec.executors.base import JobOrder, Phase, Terms, Unreachable
from ddspec.executors.container import name_of
from ddspec.executors.docker import DockerExecutor
from ddspec.executors.registry import make_executor
from ddspec.run.dispatch import site_of
from ddspec.store.store import open_store

pytestmark = pytest.mark.docker
MIB = 1 << 20
FOREVER = "touch $OUT/ready; while :; do sleep 0.01; done"


@pytest.fixture
def bench(docker_bench: Bench) -> Bench:
    return docker_bench


def root_of(bench: Bench, attempt: str = "one") -> Path:
    return bench.store.layout.attempts / attempt


def containers(bench: Bench) -> list[dict[str, Any]]:
    ours = [f"org.ddspec.store={bench.store.id}"]
    found: list[dict[str, Any]] = engine().api.containers(all=True, filters={"label": ours})
    return found


def ended(bench: Bench, script: str, **terms: Any) -> Any:
    executor = bench.executor(script)
    executor.terms = replace(executor.terms, **terms)
    return bench.ended(executor, bench.submit(executor))


def running(bench: Bench, script: str = FOREVER) -> tuple[Any, str]:
    executor = bench.executor(script)
    handle = bench.submit(executor)
    wait(lambda: (bench.out() / "ready").exists())
    return executor, handle


def wait(holds: Callable[[], bool]) -> None:
    clock = threading.Event()
    for _ in range(4000):
        if holds():
            return
        clock.wait(0.005)
    raise AssertionError("it does not happen")


def test_nothing_is_asked_of_an_engine_before_it_must_be(tmp_path: Path) -> None:
    store = open_store(tmp_path / "home")
    executor = make_executor("docker", site_of(store))
    executor.environ = {"DOCKER_HOST": "unix:///nowhere"}  # type: ignore[attr-defined]

    handle = json.dumps(["docker", "engine", "attempt"])
    assert executor.capabilities().survives_host
    assert executor.poll([handle])[handle].phase is Phase.UNREACHABLE
    with pytest.raises(Unreachable, match="no such socket"):
        executor.find(store.id)


def test_a_running_container_is_as_it_was_asked_for(bench: Bench) -> None:
    executor, _ = running(bench)
    request = executor.prepare(order("one"))

    found = engine().api.inspect_container(request.name)

    host = found["HostConfig"]
    assert found["Image"] == request.body["Image"]
    assert found["Config"]["Labels"].items() >= request.body["Labels"].items()
    assert {one["Target"] for one in host["Mounts"]} == {
        one["Destination"] for one in found["Mounts"]
    }
    for name in ("ReadonlyRootfs", "NetworkMode", "Memory", "MemorySwap", "ShmSize", "Init"):
        assert host[name] == request.body["HostConfig"][name]


def test_a_job_runs_as_nobody_in_a_world_of_its_own(bench: Bench) -> None:
    state = ended(
        bench,
        "id -u > $OUT/uid; env | sort > $OUT/env; ls /sys/class/net > $OUT/net; "
        "for at in / /job /inputs; do touch $at/x 2> /dev/null && exit 9; done; "
        "touch /tmp/x /dev/shm/x $OUT/x || exit 8",
    )

    assert state.phase is Phase.DONE
    assert (bench.out() / "uid").read_text() != "0\n"
    assert (bench.out() / "net").read_text() == "lo\n"
    assert "SECRET" not in (bench.out() / "env").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_a_job_wrote_is_the_callers_again_when_it_is_taken_down(bench: Bench) -> None:
    executor = bench.executor("mkdir $OUT/a; touch $OUT/a/b; ln -s /etc/passwd $OUT/link")
    scratch = bench.store.layout.scratch / order("one").document.stages[0].key
    handle = bench.submit(executor)
    bench.ended(executor, handle)
    before = {path.lstat().st_uid for path in (bench.out(), bench.out() / "a/b", scratch)}

    executor.retire(handle)

    written = (bench.out(), bench.out() / "a/b", bench.out() / "link", scratch)
    assert before == {65532}
    assert {path.lstat().st_uid for path in written} == {0}
    assert Path("/etc/passwd").stat().st_uid == 0


def test_a_job_that_needs_more_memory_than_it_may_have_is_told_so(bench: Bench) -> None:
    state = ended(bench, "exec python3 -c 'bytearray(1 << 30)'", memory=64 * MIB)

    assert (state.phase, state.exit) == (Phase.FAILED, 137)
    assert "limit is 64 MiB" in state.reason
    assert "--memory" in state.reason


def test_a_process_of_a_job_that_was_killed_for_memory_is_noticed(bench: Bench) -> None:
    state = ended(bench, "python3 -c 'bytearray(1 << 30)'; sleep 0.5; exit 0", memory=64 * MIB)

    assert (state.phase, state.exit) == (Phase.FAILED, 0)
    assert "a process of the job was killed for memory" in state.reason


@pytest.mark.parametrize(
    ("signal", "phase"),
    [("SIGKILL", Phase.LOST), ("SIGTERM", Phase.PREEMPTED)],
)
def test_a_job_that_others_stop_is_not_taken_for_a_failed_one(
    bench: Bench, signal: str, phase: Phase
) -> None:
    executor, handle = running(bench)

    engine().api.kill(name_of("one"), signal=signal)

    assert bench.ended(executor, handle).phase is phase


@pytest.mark.parametrize(("force", "phase"), [(False, Phase.PREEMPTED), (True, Phase.LOST)])
def test_a_paused_job_lives_and_can_be_stopped(bench: Bench, force: bool, phase: Phase) -> None:
    executor, handle = running(bench)
    engine().api.pause(name_of("one"))

    paused = executor.poll([handle])[handle]
    executor.cancel(handle, force=force)

    assert (paused.phase, paused.reason) == (Phase.RUNNING, "paused")
    assert bench.ended(executor, handle).phase is phase


def test_a_container_that_somebody_removed_is_lost(bench: Bench) -> None:
    executor, handle = running(bench)

    engine().api.remove_container(name_of("one"), force=True)
    state = executor.poll([handle])[handle]

    assert state.phase is Phase.LOST
    assert "removed" in state.reason
    assert executor.retire(handle) == {}
    assert executor.poll([handle])[handle] == state


def test_a_job_that_is_not_over_cannot_be_taken_down(bench: Bench) -> None:
    executor, handle = running(bench)

    with pytest.raises(DdspecError, match="is not over"):
        executor.retire(handle)

    assert executor.poll([handle])[handle].phase is Phase.RUNNING


def test_lines_come_back_whole_and_in_their_stream(bench: Bench) -> None:
    script = "import sys; print('x' * 100_000); print('y' * 70_000, 'z', file=sys.stderr)"
    executor = bench.executor(f'exec python3 -c "{script}"')
    handle = bench.submit(executor)
    bench.ended(executor, handle)

    live = [executor.logs(handle, stream=stream).text for stream in ("stdout", "stderr")]
    executor.retire(handle)
    kept = [executor.logs(handle, stream=stream).text for stream in ("stdout", "stderr")]

    assert live == kept == ["x" * 100_000 + "\n", "y" * 70_000 + " z\n"]


def test_where_a_job_ran_is_known_afterwards(bench: Bench) -> None:
    executor = bench.executor()
    handle = bench.submit(executor)
    bench.ended(executor, handle)
    facts = facts_of(engine())

    place = executor.retire(handle)

    image = engine().api.inspect_image(NAME)["Id"]
    assert place == {
        "image": f"{image} (this host only)",
        "image_id": image,
        "engine": f"docker {facts.version}",
        "gpus": [],
    }
    assert json.loads((root_of(bench) / "job/job.json").read_text())["image"] == place["image"]
    assert containers(bench) == []


@pytest.mark.parametrize("done", ["pieces", "take_back", "write_end", "remove"])
def test_taking_down_can_be_interrupted_anywhere_and_begun_again(
    bench: Bench, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = bench.executor("printf told >&2")
    handle = bench.submit(executor)
    state = bench.ended(executor, handle)

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"ddspec.executors.retiring.{done}", die)
        with pytest.raises(KeyboardInterrupt):
            executor.retire(handle)
    between = executor.poll([handle])[handle]
    place = bench.executor().retire(handle)

    assert between == executor.poll([handle])[handle] == state
    assert place["gpus"] == []
    assert executor.logs(handle).text == "told"
    assert containers(bench) == []


def test_several_runs_can_take_one_job_down_at_once(bench: Bench) -> None:
    executor = bench.executor("printf told >&2")
    handle = bench.submit(executor)
    bench.ended(executor, handle)
    places: list[Any] = []

    threads = [
        threading.Thread(target=lambda: places.append(bench.executor().retire(handle)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(places) == 4
    assert places.count(places[0]) == 4
    assert executor.logs(handle).text == "told"


@pytest.mark.parametrize("step", ["require_same_files", "_require_open"])
def test_a_submission_that_fails_leaves_no_container(
    bench: Bench, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    executor = bench.executor()
    if step == "_require_open":  # the second of two looks at the seal, just before the start
        monkeypatch.setattr(starting, "begun", lambda *_: False)
    monkeypatch.setattr(starting, step, fail)

    with pytest.raises(KeyboardInterrupt):
        bench.submit(executor)

    assert containers(bench) == []


def test_a_container_that_never_started_is_made_anew(bench: Bench) -> None:
    executor = bench.executor("touch $OUT/ran")
    request = executor.prepare(order("one"))
    starting.lay_out(request.root, b"{}", request.written)
    engine().api.create_container_from_config(
        {"Image": BASE, "Cmd": ["true"], "Labels": request.body["Labels"]}, request.name
    )

    waiting = executor.poll([handle := executor.submit(request)])[handle]

    assert waiting.phase in (Phase.RUNNING, Phase.DONE)
    assert bench.ended(executor, handle).phase is Phase.DONE
    assert (bench.out() / "ran").exists()


def test_an_attempt_whose_submitter_died_before_the_start_never_starts(bench: Bench) -> None:
    executor = bench.executor("touch $OUT/ran")
    request = executor.prepare(order("one"))
    starting.lay_out(request.root, b"{}", request.written)
    engine().api.create_container_from_config(
        {"Image": BASE, "Cmd": ["true"], "Labels": request.body["Labels"]}, request.name
    )

    assert bench.executor().settle("one") is None
    assert containers(bench) == []
    with pytest.raises(DdspecError, match="given up before it started"):
        bench.submit(executor)


def test_what_nobody_claims_is_swept_and_no_other_store_loses_anything(
    bench: Bench, tmp_path: Path
) -> None:
    executor, handle = running(bench)
    other = replace(executor, site=replace(executor.site, attempts=tmp_path / "copy/attempts"))

    spared = other.sweep(lambda: ())
    swept = bench.executor().sweep(lambda: ())

    assert (list(spared), list(swept)) == ([], ["one"])
    assert containers(bench) == []
    assert executor.poll([handle])[handle].phase is Phase.LOST


def test_a_copy_of_a_store_does_not_take_jobs_of_its_original_for_its_own(
    bench: Bench, tmp_path: Path
) -> None:
    executor, handle = running(bench)
    copy = replace(executor, site=replace(executor.site, attempts=tmp_path / "copy/attempts"))

    assert copy.poll([handle])[handle].phase is Phase.LOST
    assert copy.find(bench.store.id) == {}


def test_a_job_on_another_engine_is_out_of_reach(bench: Bench) -> None:
    executor, handle = running(bench)
    _, _, attempt = json.loads(handle)
    elsewhere = json.dumps(["docker", "ANOTHER", attempt])

    assert executor.poll([elsewhere])[elsewhere].phase is Phase.UNREACHABLE
    for ask in (executor.cancel, executor.retire):
        with pytest.raises(Unreachable, match="ANOTHER"):
            ask(elsewhere)


def test_an_image_that_is_not_there_is_named(bench: Bench) -> None:
    executor = bench.executor()
    executor.terms = Terms(image="ddspec-nothing:1")

    with pytest.raises(DdspecError, match="no image `ddspec-nothing:1`") as caught:
        bench.submit(executor)

    assert caught.value.exit is Exit.UNABLE
    assert list(bench.store.layout.attempts.iterdir()) == []


def test_a_gpu_without_a_gpu_runtime_is_explained_and_leaves_nothing(bench: Bench) -> None:
    executor = bench.executor()
    executor.terms = replace(executor.terms, gpus=(f"GPU-{bench.store.id}",))
    one = order("one")
    job = one.document.model_copy(update={"device": "cuda"})

    with pytest.raises(DdspecError, match="GPU runtime") as caught:
        executor.submit(executor.prepare(JobOrder("one", job)))

    assert caught.value.exit is Exit.UNABLE
    assert "--device cpu" in caught.value.diagnostics[0].hint
    assert containers(bench) == []


def test_an_input_that_the_engine_does_not_see_is_named(bench: Bench) -> None:
    executor = bench.executor()
    request = executor.prepare(order("one"))
    request.inputs[0].rmdir()

    with pytest.raises(DdspecError, match=f"does not see this path: {request.inputs[0]}"):
        executor.submit(request)

    assert containers(bench) == []


@pytest.mark.parametrize("handle", ["", "{}", "[1]", '["h", "b", 1, "y", "one"]', "null"])
def test_a_handle_of_another_executor_is_refused(bench: Bench, handle: str) -> None:
    with pytest.raises(DdspecError, match="names no container"):
        bench.executor().poll([handle])


def test_one_request_tells_of_any_number_of_jobs(bench: Bench) -> None:
    executor, handle = running(bench)
    api = Counting(engine().api)
    executor._engine = replace(engine(), api=api)

    states = [executor.poll([handle])[handle].phase for _ in range(10)]

    assert states == [Phase.RUNNING] * 10
    assert api.asked == ["containers"] * 10


class Counting:
    """An engine's client that notes what it is asked."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.api, name)


def test_two_submitters_of_one_attempt_start_one_container(bench: Bench) -> None:
    handles: list[str] = []
    failures: list[BaseException] = []
    gate = threading.Barrier(3)

    def submit() -> None:
        executor = bench.executor("echo ran >> $OUT/ran; sleep 0.3")
        request = executor.prepare(order("one"))
        gate.wait()
        try:
            handles.append(executor.submit(request))
        except DdspecError as error:
            failures.append(error)

    threads = [threading.Thread(target=submit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    executor = bench.executor()
    bench.handles.append((executor, handles[0]))
    bench.ended(executor, handles[0])

    assert len(set(handles)) == 1
    assert (bench.out() / "ran").read_text() == "ran\n"
    assert len(containers(bench)) == 1


def test_the_executor_is_made_by_its_name(bench: Bench) -> None:
    assert isinstance(make_executor("docker", bench.executor().site), DockerExecutor)
