"""Killed between any two changes to the disk, a run goes on as if nothing had been."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import fake_plans

DRIVER = Path(fake_plans.__file__).with_name("fake_crash.py")


def test_no_moment_between_two_changes_to_the_disk_is_a_bad_one_to_die(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    crashes = [json.loads(line) for line in told.stdout.splitlines()]

    good = {"ended": 0, "made": True, "starts": 1, "claims": 0, "living": 0, "leftovers": []}
    bad = [crash for crash in crashes if {name: crash[name] for name in good} != good]
    assert bad == []
    assert len(crashes) > 20
    assert any("posix_spawn" in crash["change"] for crash in crashes)
