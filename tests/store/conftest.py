"""A store and something to put into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ddspec.store.store import Store, open_store

KEY = "ab" + "0" * 62


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "home")


@pytest.fixture
def publish(store: Store) -> Callable[..., Path]:
    """Publish files under a key, as a job would leave them."""

    def publish(key: str = KEY, **files: str) -> Path:
        source = store.layout.output("attempt-1", key)
        for name, content in (files or {"data": "content", "result": "{}"}).items():
            path = source / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return store.objects.publish(source, key)

    return publish
