"""Only an end that the engine may yet explain is waited for: hundreds may end at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ddspec.engine.connect import Engine
from ddspec.executors.base import Phase
from ddspec.executors.watching import ended_state

LONG_AGO = "2020-01-01T00:00:00.123456789Z"


@dataclass(slots=True)
class Told:
    """An engine that knows of one container, and hears late that it was killed for memory."""

    state: dict[str, Any]
    asked: int = 0

    def inspect_container(self, container: str) -> dict[str, Any]:
        self.asked += 1
        state = {**self.state, "OOMKilled": self.asked > 1}
        return {"State": state, "HostConfig": {"Memory": 1 << 28}}


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("ddspec.executors.watching.time.sleep", found.append)
    return found


def just_now(seconds: float = 0.0) -> str:
    """Return a time as engines write it, with nine digits."""
    then = datetime.now(UTC) - timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


@pytest.mark.parametrize(
    ("state", "looks"),
    [
        pytest.param({"ExitCode": 137, "FinishedAt": just_now(-86400)}, 2, id="a clock set back"),
        pytest.param({"ExitCode": 137, "FinishedAt": "soon"}, 2, id="no time"),
        pytest.param({"ExitCode": 137, "FinishedAt": "2020-01-01T00:00:00"}, 2, id="no zone"),
        pytest.param({"ExitCode": 137}, 2, id="nothing told"),
        pytest.param({"ExitCode": 137, "FinishedAt": LONG_AGO}, 1, id="long over"),
        pytest.param({"ExitCode": 0, "FinishedAt": just_now(-86400)}, 1, id="ended well"),
        pytest.param({"ExitCode": 143, "FinishedAt": just_now(-86400)}, 1, id="asked to stop"),
    ],
)
def test_only_a_fresh_and_unexplained_end_is_asked_for_twice(
    tmp_path: Path, naps: list[float], state: dict[str, Any], looks: int
) -> None:
    told = Told(state)

    found = ended_state(Engine(told, "unix:///fake"), "id", tmp_path)

    assert (told.asked, len(naps)) == (looks, looks - 1)
    assert ("out of memory" in found.reason) == (looks == 2)


def test_an_end_of_this_moment_is_asked_for_twice(tmp_path: Path, naps: list[float]) -> None:
    told = Told({"ExitCode": 137, "FinishedAt": just_now()})

    found = ended_state(Engine(told, "unix:///fake"), "id", tmp_path)

    assert (found.phase, told.asked) == (Phase.FAILED, 2)
