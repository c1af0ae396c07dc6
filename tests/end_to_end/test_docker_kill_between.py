"""Killed around any request to the engine and any change to the disk, a run goes on as before."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import fake_harbour
import pytest
from fake_harbour import Harbour

pytestmark = pytest.mark.docker

DRIVER = Path(fake_harbour.__file__).with_name("fake_docker_crash.py")
GOOD = {
    "code": 0,
    "made": True,
    "equal": True,
    "starts": 1,
    "claims": 0,
    "containers": 0,
    "foreign": [],
}


@pytest.mark.parametrize(
    ("what", "least", "typical"),
    [
        pytest.param("request", 6, "POST", id="before a request"),
        pytest.param("answer", 6, "POST", id="before its answer"),
        # each of some 70 changes needs two runs
        pytest.param("change", 20, "os.", id="before a change to the disk", marks=pytest.mark.slow),
    ],
)
def test_no_moment_is_a_bad_one_to_die(
    harbour: Harbour, what: str, least: int, typical: str
) -> None:
    told = harbour.folder / "told.json"
    told.write_text(
        json.dumps(dataclasses.asdict(dataclasses.replace(harbour.told, behaviours={})))
    )
    root = harbour.folder / what
    root.mkdir()

    ended = subprocess.run(
        [sys.executable, str(DRIVER), str(root), str(told), what],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    crashes = [json.loads(line) for line in ended.stdout.splitlines()]

    assert ended.returncode == 0, ended.stderr[-3000:]
    assert [one for one in crashes if {name: one[name] for name in GOOD} != GOOD] == []
    assert len(crashes) > least
    assert any(typical in one["action"] for one in crashes)
    assert any(one["left"] for one in crashes)
