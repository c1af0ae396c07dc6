"""Hosts and containers killed at any moment: nothing lost, nothing done twice, no orphan.

The moments are spread by a hash over the time that a whole run takes, the same in every test run.
"""

from __future__ import annotations

import hashlib
import signal
import subprocess

import pytest
from fake_harbour import STEPS, Harbour, expected, suppress_gone

pytestmark = pytest.mark.docker

WHOLE_S = 3.0
"""About what a run takes here; no test depends on it."""
ALL_STEPS = {"prepare": STEPS, "merge": STEPS} | {
    f"{kind}/{i}": STEPS for kind, count in (("pool", 5), ("evaluate", 4)) for i in range(count)
}


def moments(name: str, count: int) -> list[float]:
    """Return seconds after which to act, spread over a run."""
    digests = [hashlib.sha256(f"{name} {i}".encode()).digest() for i in range(count)]
    return [WHOLE_S * digest[0] / 256 for digest in digests]


def all_there(harbour: Harbour) -> None:
    """Run once more, and find every output whole and nothing left behind."""
    ended = harbour.finish()
    assert ended.code == 0, harbour.stderr()[-3000:]
    assert set(ended.states.values()) <= {"done", "in store"}
    assert harbour.data() == expected(harbour.stages, ALL_STEPS)
    assert harbour.containers() == []
    assert list(harbour.store.claims.keys()) == []


def at_work(harbour: Harbour) -> subprocess.Popen[str]:
    """Start a host, and return when a container is in the middle of a stage that takes long."""
    harbour.behave("pool/0", step_s=0.3)
    host = harbour.host()
    harbour.until(lambda: harbour.steps()["pool/0", 2] > 0)
    return host


def test_a_killed_host_loses_nothing_and_its_containers_are_adopted(harbour: Harbour) -> None:
    for seconds in moments("host", 6):
        harbour.disturbed(seconds / 3, lambda: harbour.hosts[-1].kill())

    all_there(harbour)
    assert set(harbour.starts().values()) == {1}


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_a_killed_container_redoes_at_most_one_step_a_kill(harbour: Harbour, name: str) -> None:
    harbour.tell(orders={"retries": 99})
    killed = [0]

    def kill() -> None:
        killed[0] += harbour.signal(name)

    for seconds in moments(f"containers {name}", 4):
        harbour.disturbed(seconds, kill)

    all_there(harbour)
    assert harbour.doubled() <= killed[0]


def test_docker_stop_is_a_preemption_and_the_run_goes_on_by_itself(harbour: Harbour) -> None:
    host = at_work(harbour)

    for container in harbour.living():
        with suppress_gone():
            harbour.api.stop(container, timeout=10)
    ended = harbour.ended(host)

    assert ended.code == 0
    assert harbour.said("StageRetried") > 0
    assert harbour.doubled() == 0
    all_there(harbour)


def test_hosts_and_containers_killed_at_once_go_on_from_the_checkpoints(harbour: Harbour) -> None:
    killed = [0]

    def kill() -> None:
        harbour.hosts[-1].kill()
        killed[0] += harbour.signal("SIGKILL")

    for seconds in moments("all", 6):
        harbour.disturbed(seconds / 2, kill)

    all_there(harbour)
    assert harbour.doubled() <= killed[0]


def test_a_container_removed_by_somebody_else_is_started_again(harbour: Harbour) -> None:
    host = at_work(harbour)

    removed = harbour.living()
    for container in removed:
        with suppress_gone():
            harbour.api.remove_container(container, force=True)
    ended = harbour.ended(host)

    assert ended.code == 0
    assert harbour.said("container was removed") > 0
    assert harbour.doubled() <= len(removed)
    all_there(harbour)


def test_a_paused_container_is_waited_for(harbour: Harbour) -> None:
    host = at_work(harbour)

    paused = harbour.pause()
    harbour.until(lambda: len(harbour.containers("paused")) == len(paused))
    before = harbour.steps()["pool/0", STEPS]
    with pytest.raises(subprocess.TimeoutExpired):
        host.wait(1.0)
    during = harbour.steps()["pool/0", STEPS]
    for container in paused:
        harbour.api.unpause(container)
    ended = harbour.ended(host)

    assert before == during == 0
    assert ended.code == 0
    assert set(harbour.starts().values()) == {1}
    all_there(harbour)


@pytest.mark.parametrize("stops", [1, 2])
def test_ctrl_c_ends_a_paused_container(harbour: Harbour, stops: int) -> None:
    host = at_work(harbour)
    harbour.pause()

    host.send_signal(signal.SIGINT)
    harbour.until(lambda: harbour.said("StopRequested") > 0)
    if stops > 1:
        host.send_signal(signal.SIGINT)
    ended = harbour.ended(host)

    assert ended.code == 130
    assert harbour.containers() == []
    all_there(harbour)
    assert harbour.doubled() <= (0 if stops == 1 else 2)


def test_one_ctrl_c_checkpoints_and_the_next_run_goes_on(harbour: Harbour) -> None:
    host = harbour.host()
    harbour.until(lambda: harbour.steps()["pool/0", 2] > 0)

    host.send_signal(signal.SIGINT)
    ended = harbour.ended(host)

    assert ended.code == 130
    assert "interrupted" in ended.states.values()
    assert harbour.containers() == []
    all_there(harbour)
    assert harbour.doubled() == 0


def test_a_second_ctrl_c_kills_what_does_not_listen(harbour: Harbour) -> None:
    for i in range(5):
        harbour.behave(f"pool/{i}", steps=5000, step_s=0.02, deaf=True)
    host = harbour.host()
    harbour.until(lambda: harbour.steps()["pool/0", 2] > 0)

    host.send_signal(signal.SIGINT)
    harbour.until(lambda: harbour.said("force=False") > 0)
    alive = harbour.living()
    host.send_signal(signal.SIGINT)
    ended = harbour.ended(host)

    assert alive != []
    assert ended.code == 130
    assert harbour.containers() == []


def test_a_closed_terminal_leaves_the_containers_to_the_next_run(harbour: Harbour) -> None:
    harbour.behave("pool/0", steps=STEPS, step_s=0.2)
    host = harbour.host()
    harbour.until(lambda: harbour.steps()["pool/0", 1] > 0)

    host.send_signal(signal.SIGHUP)
    ended = harbour.ended(host)
    left = harbour.living()

    assert ended.code == 130
    assert left != []
    all_there(harbour)
    assert set(harbour.starts().values()) == {1}
    assert harbour.said("StageAdopted") > 0


def test_two_hosts_share_the_work_and_one_may_die(harbour: Harbour) -> None:
    first, second, third = harbour.host(), harbour.host(), harbour.host()
    harbour.until(lambda: harbour.starts()["pool/0"] > 0)

    second.kill()
    ended = [harbour.ended(first), harbour.ended(third)]

    assert [one.code for one in ended] == [0, 0], harbour.stderr()[-3000:]
    assert set(harbour.starts().values()) == {1}
    all_there(harbour)
