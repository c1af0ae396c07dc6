"""What is said of jobs in containers, and what is removed beside them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from fake_harbour import PATIENCE_S, Harbour
from fake_plans import diamond, key_of

pytestmark = [pytest.mark.docker, pytest.mark.slow]  # a command line at a time beside containers

KEYS = {stage.label: key_of(stage) for stage in diamond()}
LONG = "x" * 100_000
"""Longer than what an engine hands out at once (16 KiB)."""
OTHER = """\
name: other
dataset: {kind: digits}
budget: {images_per_class: 1}
preset: dm
"""


def ddspec(harbour: Harbour, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the command line on the store of the harbour."""
    command = (sys.executable, "-m", "ddspec", *arguments, "--home", harbour.told.home)
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def at_work(harbour: Harbour, label: str) -> dict[str, Any] | None:
    """Return what `status` says of a stage once it has begun."""
    claims = json.loads(ddspec(harbour, "status", "--json").stdout)["claims"]
    return next((one for one in claims if one["label"] == label and one["progress"]), None)


def cleared(harbour: Harbour) -> int:
    """Remove all that another spec does not reach; return the exit code."""
    spec = harbour.folder / "other.yaml"
    spec.write_text(OTHER)
    return ddspec(harbour, "gc", str(spec), "--delete", "--keep-newer", "0").returncode


def test_a_container_is_followed_from_its_start_to_what_it_left(harbour: Harbour) -> None:
    harbour.behave("merge", stderr=f"\x1b[31mfirst\n{LONG}\nlast", step_s=0.3)
    host = harbour.host()
    harbour.until(lambda: KEYS["merge"] in harbour.store.claims.keys())  # noqa: SIM118  # no mapping

    followed = ddspec(harbour, "logs", KEYS["merge"], "--follow")
    ended = harbour.ended(host)
    kept = ddspec(harbour, "logs", KEYS["merge"])

    for told in (followed, kept):
        assert told.returncode == 0, told.stderr
        assert "  | \ufffd[31mfirst\n" in told.stdout
        assert f"  | {LONG}\n" in told.stdout
        assert "  | last\n" in told.stdout
    assert followed.stdout.endswith("merge: done\n")
    assert ended.code == 0


def test_a_killed_run_leaves_containers_that_say_where_they_are(harbour: Harbour) -> None:
    harbour.behave("prepare", steps=10_000, step_s=0.1)
    host = harbour.host()
    harbour.until(lambda: at_work(harbour, "prepare") is not None)

    before = at_work(harbour, "prepare")
    host.kill()
    host.wait()
    after = at_work(harbour, "prepare")

    assert before is not None
    assert after is not None
    assert before["container"] == f"ddspec-{before['attempt']}"
    assert before["state"] == "running"
    assert before["fate"] == ""
    assert after["fate"] == "its run is gone: the next `ddspec run` takes it over"


def test_removing_takes_nothing_from_jobs_in_containers(harbour: Harbour) -> None:
    host = harbour.host()
    codes = []
    while host.poll() is None:
        codes.append(cleared(harbour))
    ended = harbour.ended(host)

    assert ended.code == 0, harbour.stderr()[-3000:]
    assert set(codes) == {0}
    assert all(state == "done" for state in ended.states.values())


@pytest.mark.parametrize("handle", ["known", "unknown"])
def test_what_a_dead_run_left_of_unreached_stages_goes_with_its_container(
    harbour: Harbour, handle: str
) -> None:
    harbour.behave("prepare", steps=10_000, step_s=0.1)
    host = harbour.host()
    harbour.until(lambda: "StageStarted(label='prepare'" in harbour.stderr())
    host.kill()
    host.wait()
    (claim,) = harbour.store.claims.all()
    if handle == "unknown":  # as if it had died a moment before it wrote it down
        path = harbour.store.layout.claims / claim.key
        path.write_text(json.dumps(json.loads(path.read_text()) | {"handle": None}))

    living = cleared(harbour), len(harbour.store.claims.keys()), len(harbour.living())
    harbour.api.kill(harbour.living()[0])
    over = cleared(harbour)

    assert living == (0, 1, 1)
    assert over == 0
    assert harbour.containers() == []
    assert len(harbour.store.claims.keys()) == 0
    assert list(harbour.store.layout.attempts.iterdir()) == []
