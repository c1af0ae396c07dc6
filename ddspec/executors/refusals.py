"""What an engine says when it cannot create or start a container, and the way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ddspec.engine.facts import EngineFacts
from ddspec.engine.faults import EngineRefused
from ddspec.errors import DdspecError, Exit

UNSEEN = re.compile(r"bind source path does not exist: (?P<path>.+?)\s*$")
NOT_MADE = re.compile(r"statfs (?P<path>.+?): no such file or directory")
"""Podman's words for the same."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A pattern of what engines say, what it means, and the way out; both may name the engine."""

    said: str
    means: str
    way_out: str


REFUSALS: Sequence[Refusal] = (
    Refusal(
        r"could not select device driver",
        "the container engine has no GPU runtime",
        "install the NVIDIA Container Toolkit and restart the engine, or give it CDI devices with "
        "`nvidia-ctk cdi generate`; `--device cpu` does without",
    ),
    Refusal(
        r"unresolvable CDI devices|CDI device injection failed|failed to inject CDI devices",
        "the container engine does not know the GPU by its CDI name any more",
        "make the list anew with `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`; "
        "`--device cpu` does without",
    ),
    Refusal(
        r"nvidia-container-cli|nvidia-container-runtime|libnvidia-ml|nvml error",
        "the GPU runtime of the container engine failed",
        "does `nvidia-smi` work on that machine? `--device cpu` does without",
    ),
    Refusal(
        r"docker-init|init binary|container-init",
        "the container engine lacks its init process",
        "install it: Docker's comes with the engine's packages (Debian: `docker.io`; elsewhere "
        "`tini`), Podman's is `catatonit`",
    ),
    Refusal(
        r"no space left on device|disk quota exceeded",
        "disk full: the container engine cannot write to {root_dir}",
        "free some space there, for example with `docker image prune`, and run again",
    ),
    Refusal(
        r"unknown or invalid runtime name|invalid runtime|runtime .* not found",
        "the container engine has no such runtime",
        "it has {runtimes}; its default is set in the engine's daemon.json",
    ),
    Refusal(
        r"no such image|image not known",
        "the runner image was removed",
        "`ddspec image build` makes it again",
    ),
    Refusal(
        r"exec format error",
        "the runner image is for another kind of processor than {machine}",
        "`ddspec image build` on that machine makes one for it",
    ),
    Refusal(
        r"executable file not found|exec: .*no such file or directory",
        "the runner image lacks its own entry point",
        "`ddspec image check` looks at it, `ddspec image build` makes it again",
    ),
    Refusal(
        r"setrlimit|setting rlimit",
        "the container engine may not raise the limits of a job as far as its settings say",
        "start its service with higher ones (`ulimit -Hn 1048576`, LimitNOFILE=), or set lower "
        "`default_ulimits` in containers.conf or daemon.json",
    ),
    Refusal(
        r"cgroup|oom_score_adj|pids\.max|memory\.(max|limit)",
        "the container engine cannot set the limits of the job",
        "are control groups mounted, and delegated to a rootless engine?",
    ),
    Refusal(
        r"minimum memory limit",
        "the memory of a job is too small for a container",
        "give more with `--memory`",
    ),
)
"""In this order: the first that fits speaks."""


def explained(error: EngineRefused, facts: EngineFacts) -> DdspecError:
    """Return the error for people when a container could not be created or started (exit 6)."""
    for pattern in (UNSEEN, NOT_MADE):
        unseen = pattern.search(error.said)
        if unseen:
            return not_seen(unseen["path"])
    for refusal in REFUSALS:
        if re.search(refusal.said, error.said, re.IGNORECASE):
            told = {
                "root_dir": facts.root_dir,
                "runtimes": ", ".join(facts.runtimes),
                "machine": facts.machine,
            }
            return DdspecError(
                f"{refusal.means.format_map(told)}: {error.said}",
                exit=Exit.UNABLE,
                hint=refusal.way_out.format_map(told),
            )
    return DdspecError(
        f"the container engine cannot start the job: {error.said}",
        exit=Exit.UNABLE,
        hint="`ddspec doctor` looks at the engine and the image",
    )


def not_seen(path: object) -> DdspecError:
    """Return the error that says an engine has another view of the files than we have."""
    return DdspecError(
        f"the engine does not see this path: {path}",
        exit=Exit.UNABLE,
        hint="an engine on another machine (ssh, tcp), in a virtual machine, or beside the "
        "container that this runs in, has other files; keep the store and the data where it sees "
        "them, or use `--executor local`",
    )
