"""Looking at a runner image from inside, in a container walled in as a job's is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddspec.engine.connect import Engine
from ddspec.engine.images import RunnerImage
from ddspec.engine.source import runners_digest
from ddspec.engine.trial import try_command
from ddspec.errors import DdspecError, Exit

PYTHON = "/opt/ddspec/bin/python"

LOOK = """
import json, os, platform, sys
import torch
import ddspec_runners.entry
from ddspec.engine.source import runners_digest

def writable(path):
    try:
        os.close(os.open(path + "/written", os.O_CREAT | os.O_WRONLY))
        return True
    except OSError:
        return False

print(json.dumps({
    "python": platform.python_version(),
    "torch": torch.__version__,
    "cuda": torch.version.cuda or "",
    "devices": [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())],
    "source": runners_digest(),
    "uid": os.getuid(),
    "writable": [path for path in ("", "/opt/ddspec", "/etc", "/tmp") if writable(path)],
}))
"""
"""Printed by the image's own Python as one line of JSON, the last one."""

USERS = ("65532:65532", "12345:23456")
"""The image's own user, and one that it has never heard of: a job runs as whoever asks for it."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What one container of an image says of itself."""

    user: str
    python: str
    torch: str
    cuda: str
    devices: tuple[str, ...]
    """Names of the GPUs that torch sees."""


def look_inside(
    engine: Engine, image: RunnerImage, *, user: str, devices: Sequence[dict[str, Any]] = ()
) -> Inside:
    """Import everything that a job needs in a container of the image, and return what it found.

    Raises DdspecError (exit 6) where that fails, where the source inside is not what the label
    says, or where more than `/tmp` can be written.
    """
    command = [PYTHON, "-P", "-c", LOOK]
    trial = try_command(engine, image.id, command, user=user, devices=devices)
    lines = trial.text.strip().splitlines() or [""]
    if trial.exit:
        raise _broken(image, f"it exits with {trial.exit} as user {user}: {lines[-1]}")
    try:
        found = json.loads(lines[-1])
    except ValueError as error:
        raise _broken(image, f"it answers `{lines[-1]}`") from error
    if found["source"] != image.source:
        raise _broken(image, f"its label tells of source {image.source[:12]}, and {_is(found)}")
    if found["writable"] != ["/tmp"]:
        where = ", ".join(path or "/" for path in found["writable"])
        raise _broken(image, f"user {user} can write to {where or 'nothing'}, not to /tmp alone")
    return Inside(user, found["python"], found["torch"], found["cuda"], tuple(found["devices"]))


def _is(found: dict[str, Any]) -> str:
    inside = found["source"]
    whose = " (that of this installation)" if inside == runners_digest() else ""
    return f"{inside[:12]}{whose} is inside"


def _broken(image: RunnerImage, how: str) -> DdspecError:
    return DdspecError(
        f"`{image.reference}` does not work: {how}",
        exit=Exit.UNABLE,
        hint="`ddspec image build` makes another one",
    )
