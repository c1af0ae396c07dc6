"""Every executor of the registry over a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_engine import engine_reason
from fake_jobs import MAKERS, Bench

from ddspec.store.store import open_store

MARKS = {"docker": [pytest.mark.docker]}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, [])) for name in sorted(MAKERS)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    yield from bench_of(request.param, tmp_path)


@pytest.fixture
def local_bench(tmp_path: Path) -> Iterator[Bench]:
    yield from bench_of("local", tmp_path)


@pytest.fixture
def docker_bench(tmp_path: Path) -> Iterator[Bench]:
    yield from bench_of("docker", tmp_path)


def bench_of(name: str, folder: Path) -> Iterator[Bench]:
    if name == "docker" and engine_reason():
        pytest.skip(engine_reason())
    bench = Bench(open_store(folder / "home"), MAKERS[name])
    yield bench
    for executor, handle in bench.handles:
        executor.cancel(handle, force=True)
    if name == "docker":
        bench.executor().sweep(lambda: ())
