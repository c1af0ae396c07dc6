"""What engines say, as they say it, and what a person is told."""

from __future__ import annotations

import pytest

from ddspec.engine.facts import read_facts
from ddspec.engine.faults import EngineRefused
from ddspec.errors import Exit
from ddspec.executors.refusals import explained

FACTS = read_facts({"DockerRootDir": "/engine", "Runtimes": {"runc": {}}}, {})


@pytest.mark.parametrize(
    ("said", "told", "way_out"),
    [
        pytest.param(
            'could not select device driver "" with capabilities: [[gpu]]',
            "no GPU runtime",
            "--device cpu",
            id="no GPU runtime",
        ),
        pytest.param(
            "failed to create task for container: failed to inject CDI devices: "
            "unresolvable CDI devices nvidia.com/gpu=GPU-1",
            "by its CDI name",
            "nvidia-ctk cdi generate",
            id="CDI",
        ),
        pytest.param(
            "OCI runtime create failed: error running hook #0: nvidia-container-cli: "
            "initialization error: driver not loaded",
            "GPU runtime of the container engine failed",
            "nvidia-smi",
            id="driver",
        ),
        pytest.param(
            'exec: "docker-init": executable file not found in $PATH',
            "docker-init",
            "install it",
            id="no init",
        ),
        pytest.param(
            "failed to create rwlayer: mkdir /engine/overlay2/x: no space left on device",
            "disk full: the container engine cannot write to /engine",
            "free some space",
            id="full",
        ),
        pytest.param(
            "unknown or invalid runtime name: nvidia", "no such runtime", "runc", id="runtime"
        ),
        pytest.param(
            "OCI runtime create failed: unable to apply cgroup configuration",
            "cannot set the limits",
            "delegated",
            id="cgroups",
        ),
        pytest.param(
            "crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied",
            "may not raise the limits",
            "default_ulimits",
            id="rlimits of Podman",
        ),
        pytest.param(
            "container create: container-init binary not found on the host",
            "lacks its init process",
            "catatonit",
            id="init of Podman",
        ),
        pytest.param("No such image: sha256:aa", "was removed", "image build", id="image"),
        pytest.param(
            'invalid mount config for type "bind": bind source path does not exist: /a b/job',
            "the engine does not see this path: /a b/job",
            "ssh, tcp",
            id="unseen",
        ),
        pytest.param("something new", "cannot start the job: something new", "doctor", id="other"),
    ],
)
def test_a_refusal_is_explained(said: str, told: str, way_out: str) -> None:
    error = explained(EngineRefused("start the job", 500, said), FACTS)

    assert error.exit is Exit.UNABLE
    assert told in error.diagnostics[0].message
    assert way_out in error.diagnostics[0].hint
