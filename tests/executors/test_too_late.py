"""What an engine says when a container is gone is no failure."""

from __future__ import annotations

import pytest

from ddspec.engine.faults import EngineRefused
from ddspec.executors.watching import gone_is_fine


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(404, "No such container: a", id="it is not there"),
        pytest.param(409, "Container a is not running", id="it has ended"),
        pytest.param(500, "container state improper: stopped", id="it has ended, to Podman"),
    ],
)
def test_asking_too_late_is_no_failure(status: int, said: str) -> None:
    with gone_is_fine():
        raise EngineRefused("stop a job", status, said)


def test_a_failure_stays_one() -> None:
    with pytest.raises(EngineRefused), gone_is_fine():
        raise EngineRefused("stop a job", 500, "cannot kill: device or resource busy")
