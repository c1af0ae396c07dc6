"""What engines of several kinds say of themselves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ddspec.engine.connect import Engine
from ddspec.engine.facts import facts_of, read_facts
from ddspec.engine.faults import EngineGone

DOCKER = {
    "ID": "ABCD:EFGH",
    "Name": "host",
    "MemTotal": 1 << 34,
    "NCPU": 8,
    "DockerRootDir": "/var/lib/docker",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Runtimes": {"runc": {}, "nvidia": {}},
    "InitBinary": "docker-init",
    "SwapLimit": True,
    "PidsLimit": True,
    "LiveRestoreEnabled": True,
    "DiscoveredDevices": [
        {"Source": "cdi", "ID": "nvidia.com/gpu=0"},
        {"Source": "other", "ID": "thing"},
    ],
}
PODMAN = {"Components": [{"Name": "Podman Engine"}], "Version": "4.3.1"}


def test_a_docker_engine_is_read() -> None:
    facts = read_facts(DOCKER, {"Version": "28.3", "ApiVersion": "1.51"})

    assert (facts.id, facts.product, facts.version, facts.api) == (
        "ABCD:EFGH", "docker", "28.3", "1.51",
    )  # fmt: skip
    assert facts.cdi == ("nvidia.com/gpu=0",)
    assert facts.runtimes == ("nvidia", "runc")
    assert (facts.memory, facts.cpus) == (1 << 34, 8)
    assert facts.live_restore
    assert facts.swap_limit
    assert facts.pids_limit
    assert facts.init
    assert not facts.rootless
    assert not facts.remapped


@pytest.mark.parametrize(
    ("option", "rootless", "remapped"),
    [
        pytest.param("name=rootless", True, False, id="rootless"),
        pytest.param("name=userns", False, True, id="remapped users"),
        pytest.param("name=selinux", False, False, id="neither"),
    ],
)
def test_users_are_known(option: str, rootless: bool, remapped: bool) -> None:
    facts = read_facts({**DOCKER, "SecurityOptions": [option]}, {})

    assert (facts.rootless, facts.remapped) == (rootless, remapped)


def test_podman_is_the_same_engine_whatever_id_it_draws() -> None:
    facts = [read_facts({**DOCKER, "ID": drawn}, PODMAN) for drawn in ("one", "two")]

    assert facts[0] == facts[1]
    assert facts[0].product == "podman"


@pytest.mark.parametrize("info", [{}, {"SecurityOptions": None, "Runtimes": None}])
def test_what_is_not_said_is_absent(info: dict[str, Any]) -> None:
    facts = read_facts(info, {"Components": None})

    assert not facts.swap_limit
    assert facts.cdi == facts.security == facts.runtimes == ()


def test_an_answer_that_is_no_description_is_no_engine() -> None:
    api = SimpleNamespace(info=lambda: "hello", version=lambda: {"Version": "1"})

    with pytest.raises(EngineGone, match="is no container engine"):
        facts_of(Engine(api, "unix:///s.sock"))
