"""A store whose stages run in containers of the engine that answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_docker_host import Told
from fake_engine import engine_reason, fake_image
from fake_harbour import STEPS, Harbour, engine_client
from fake_plans import diamond


@pytest.fixture(scope="session")
def engine_api() -> Any:
    if engine_reason():
        pytest.skip(engine_reason())
    return engine_client()


@pytest.fixture(scope="session")
def engine_socket(engine_api: Any) -> Path:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return Path(host.removeprefix("unix://"))


@pytest.fixture(scope="session")
def runner_image(engine_api: Any) -> str:
    return fake_image()


@pytest.fixture
def harbour(tmp_path: Path, engine_api: Any, runner_image: str) -> Iterator[Harbour]:
    behaviours = {stage.label: {"steps": STEPS, "step_s": 0.02} for stage in diamond()}
    told = Told(str(tmp_path / "home"), runner_image, "diamond", behaviours)
    made = Harbour(tmp_path, engine_api, told)
    yield made
    made.remove()
