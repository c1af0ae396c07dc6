"""A shell of its own for each test."""

from __future__ import annotations

from pathlib import Path

import fake_cli
import pytest

from ddspec.executors.registry import EXECUTORS


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> fake_cli.Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(EXECUTORS, "local", "fake_cli:fake_executor")
    made = fake_cli.Shell(tmp_path, capsys, monkeypatch)
    monkeypatch.setenv("DDSPEC_HOME", str(made.home))
    made.write("small.yaml", fake_cli.SPEC)
    made.behave()
    return made
