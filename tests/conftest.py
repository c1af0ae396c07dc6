"""What every test gets: a store of its own, and one thread."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds the store of the person who runs it."""
    monkeypatch.setenv("DDSPEC_HOME", str(tmp_path / "ddspec-home"))
    monkeypatch.delenv("DDSPEC_DATA", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def pytest_configure() -> None:
    """Let what tests start hear signals, also under nohup or in the background of a script."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a device that is not there, and say so."""
    if not any(item.get_closest_marker("gpu") for item in items):
        return
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="torch finds no CUDA device"))
