"""Engines that have other files, or other users, than we have."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import NotFound
from fake_jobs import order

from ddspec.engine.facts import read_facts
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Site, Terms
from ddspec.executors.container import ATTEMPT, DockerRequest, Ground, request_of
from ddspec.executors.probe import leave_nonce, require_same_files, require_same_users


def archive(content: bytes) -> list[bytes]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("probe")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return [packed.getvalue()[:100], packed.getvalue()[100:]]


class Archives:
    """An engine's client that hands out one archive."""

    def __init__(self, parts: Sequence[bytes] | None) -> None:
        self.parts = parts

    def get_archive(self, container: str, path: str) -> tuple[Sequence[bytes], dict[str, Any]]:
        if self.parts is None:
            answer = requests.Response()
            answer.status_code = 404
            raise NotFound("no such file", response=answer)
        return self.parts, {}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "job").mkdir()
    return tmp_path


def test_the_nonce_is_drawn_once_an_attempt(root: Path) -> None:
    first = leave_nonce(root)

    assert leave_nonce(root) == first
    assert len(first) == 32


def test_an_engine_that_reads_the_nonce_has_our_files(root: Path) -> None:
    require_same_files(Archives(archive(leave_nonce(root))), "id", root, leave_nonce(root))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(archive(b"another"), id="another file"),
        pytest.param(None, id="no file"),
        pytest.param([b""], id="nothing"),
        pytest.param([b"no archive" * 100], id="no archive"),
    ],
)
def test_an_engine_with_other_files_is_told_with_the_path(
    root: Path, parts: Sequence[bytes] | None
) -> None:
    with pytest.raises(DdspecError, match=f"does not see this path: {root}") as caught:
        require_same_files(Archives(parts), "id", root, leave_nonce(root))

    assert caught.value.exit is Exit.UNABLE


class Trials:
    """An engine's client whose containers end with one code."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.bodies: list[dict[str, Any]] = []
        self.removed: list[str] = []

    def create_container_from_config(self, body: dict[str, Any], name: str) -> dict[str, str]:
        self.bodies.append(body)
        return {"Id": name}

    def start(self, container: str) -> None:
        assert container not in self.removed

    def wait(self, container: str, timeout: float) -> dict[str, int]:
        return {"StatusCode": self.code}

    def remove_container(self, container: str, **_: Any) -> None:
        self.removed.append(container)


def request() -> DockerRequest:
    site = Site("store", Path("/s/attempts"), Path("/s/scratch"), Path)
    ground = Ground(read_facts({"MemTotal": 1 << 34}, {}), "sha256:aa", "aa", (0, 0), "b", "/s")
    return request_of(order("one"), site, Terms(), ground, None)


@pytest.mark.parametrize(("code", "said"), [(3, "cannot read"), (4, "cannot write")])
def test_a_user_inside_who_is_another_outside_is_noticed(code: int, said: str) -> None:
    api = Trials(code)

    with pytest.raises(DdspecError, match=said) as caught:
        require_same_users(api, request())

    assert caught.value.exit is Exit.UNABLE
    assert api.removed == ["ddspec-one-probe"]


def test_the_trial_is_the_jobs_container_under_another_name() -> None:
    api, asked = Trials(0), request()

    require_same_users(api, asked)

    [body] = api.bodies
    scratch = order("one").document.stages[0].key
    assert body["HostConfig"] == asked.body["HostConfig"]
    assert body["User"] == asked.body["User"]
    assert body["Cmd"] == ["/output", f"/scratch/{scratch}"]
    assert body["Labels"][ATTEMPT] == "one-probe"
    assert api.removed == ["ddspec-one-probe"]
