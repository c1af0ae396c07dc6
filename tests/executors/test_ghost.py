"""Containers that their engine believes to live for ever."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ddspec.engine.connect import Engine
from ddspec.executors import watching
from ddspec.executors.watching import remove_ghost


@dataclass
class FakeApi:
    """Answers with one state after another, the last one for ever."""

    states: list[str]
    removed: list[str] = field(default_factory=list)

    def inspect_container(self, name: str) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"Id": "id", "State": {"Status": state}}

    def remove_container(self, container: str, **options: Any) -> None:
        assert options["force"]
        self.removed.append(container)


@pytest.mark.parametrize(
    ("states", "removed"),
    [
        pytest.param(["running"], ["id"], id="for ever"),
        pytest.param(["running", "running", "exited"], [], id="slow to end"),
        pytest.param(["exited"], [], id="ended at once"),
    ],
)
def test_what_does_not_end_of_sigkill_is_removed(
    monkeypatch: pytest.MonkeyPatch, states: list[str], removed: list[str]
) -> None:
    monkeypatch.setattr(watching, "GHOST_S", 0.2)
    api = FakeApi(states)

    remove_ghost(Engine(api, "unix:///nowhere"), "one")

    assert api.removed == removed
