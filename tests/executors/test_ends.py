"""What an engine's account of a container means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddspec.executors.base import JobState, Phase
from ddspec.executors.ends import End, judge_container, read_end, state_of_end, write_end
from ddspec.host import boot_id


def account(code: int, *, oom: bool = False) -> dict[str, Any]:
    return {
        "State": {"ExitCode": code, "OOMKilled": oom, "Status": "exited"},
        "HostConfig": {"Memory": 1 << 29},
    }


@pytest.mark.parametrize(
    ("code", "oom", "phase", "said"),
    [
        pytest.param(0, False, Phase.DONE, "", id="done"),
        pytest.param(1, False, Phase.FAILED, "exit code 1", id="fault"),
        pytest.param(69, False, Phase.FAILED, "device was lost", id="device lost"),
        pytest.param(143, False, Phase.PREEMPTED, "asked to stop", id="stopped"),
        pytest.param(137, False, Phase.LOST, "from outside", id="killed"),
        pytest.param(139, False, Phase.LOST, "signal 11", id="crashed"),
        pytest.param(255, False, Phase.LOST, "engine went down", id="the engine died"),
        pytest.param(135, False, Phase.FAILED, "--shm", id="shared memory is full"),
        pytest.param(137, True, Phase.FAILED, "limit is 512 MiB", id="out of memory"),
        pytest.param(0, True, Phase.FAILED, "a process of the job", id="a worker died"),
        pytest.param(70, True, Phase.FAILED, "a process of the job", id="a worker died, and told"),
        pytest.param(1, True, Phase.FAILED, "the runner failed", id="a worker died, and broke it"),
        pytest.param(143, True, Phase.PREEMPTED, "asked to stop", id="stopped without a worker"),
    ],
)
def test_the_exit_code_and_the_killer_decide(code: int, oom: bool, phase: Phase, said: str) -> None:
    state = judge_container(account(code, oom=oom))

    assert (state.phase, state.exit) == (phase, code)
    assert said in state.reason


def test_an_end_is_read_as_it_was_written(tmp_path: Path) -> None:
    end = End(JobState(Phase.LOST, 137, "killed", intact=False), boot_id(), {"gpus": ["GPU-1"]})

    write_end(tmp_path, end)

    assert read_end(tmp_path) == end
    assert state_of_end(end) == end.state


def test_after_a_restart_files_may_be_half_on_disk() -> None:
    state = state_of_end(End(JobState(Phase.DONE, 0), "an earlier boot"))

    assert (state.phase, state.intact) == (Phase.LOST, False)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"state": {"phase": "odd"}}'])
def test_a_record_that_was_lost_with_the_machine_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "end.json").write_bytes(content)

    assert read_end(tmp_path) is None
