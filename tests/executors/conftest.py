"""Every executor of the registry over a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_jobs import MAKERS, Bench

from ddspec.store.store import open_store


@pytest.fixture(params=sorted(MAKERS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(open_store(tmp_path / "home"), MAKERS[request.param])
    yield bench
    for executor, handle in bench.handles:
        executor.cancel(handle, force=True)
