"""A store with fake runners, and nothing left alive when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_scene import Scene

from ddspec.store.store import open_store


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    (tmp_path / "log").touch()
    made = Scene(tmp_path, open_store(tmp_path / "home"))
    made.behave()
    yield made
    for handle in made.executor.find(made.store.id).values():
        made.executor.cancel(handle, force=True)
