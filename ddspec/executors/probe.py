"""Whether an engine's containers see, and may use, the very files that we see."""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ddspec.disk import create_whole
from ddspec.engine.faults import EngineGone, EngineRefused, translated
from ddspec.errors import DdspecError, Exit
from ddspec.executors.container import ATTEMPT, DockerRequest
from ddspec.executors.folders import PROBE
from ddspec.executors.refusals import not_seen

SCRIPT = """
cat /job/probe > /dev/null || exit 3
for folder in "$@"; do : > "$folder/.probe" && rm "$folder/.probe" || exit 4; done
"""
PATIENCE_S = 60


def leave_nonce(root: Path) -> bytes:
    """Put something random into the job's folder, once an attempt, and return it."""
    path = root / "job" / PROBE
    create_whole(path, secrets.token_hex(16).encode())
    path.chmod(0o644)
    return path.read_bytes()


def require_same_files(api: Any, container: str, root: Path, nonce: bytes) -> None:
    """Read the nonce back through the mounts of a created container.

    Raises DdspecError (exit 6) where the engine's files are not ours, as on another machine.
    """
    try:
        with translated("read a file through a mount"):
            parts, _ = api.get_archive(container, f"/job/{PROBE}")
            content = b"".join(parts)
    except EngineRefused as error:
        raise not_seen(root) from error
    if _only_file(content) != nonce:
        raise not_seen(root)


def require_same_users(api: Any, request: DockerRequest) -> None:
    """Run a container that reads and writes as the job would, on engines that map users.

    Raises DdspecError (exit 6) where the user inside is not one who may.
    """
    body = json.loads(json.dumps(request.body))
    body["Entrypoint"] = ["sh", "-c", SCRIPT, "probe"]
    body["Labels"][ATTEMPT] = f"{request.attempt}-probe"  # a sweep removes it if we die here
    body["Cmd"] = [one["Target"] for one in body["HostConfig"]["Mounts"] if not one["ReadOnly"]]
    with translated("run a container that tries the files"):
        name = f"{request.name}-probe"
        container = api.create_container_from_config(body, name)["Id"]
    try:
        with translated("run a container that tries the files"):
            api.start(container)
            code = api.wait(container, timeout=PATIENCE_S)["StatusCode"]
    finally:
        with suppress(EngineRefused, EngineGone), translated("remove a container"):
            api.remove_container(container, force=True)
    if code:
        what = "read" if code == 3 else "write"
        raise DdspecError(
            f"containers of this engine cannot {what} {request.root}: their users are others",
            exit=Exit.UNABLE,
            hint="use a rootless engine, one without `userns-remap`, or `--executor local`",
        )


def _only_file(archive: bytes) -> bytes | None:
    """Return the content of the one file in a tar archive."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            member = tar.next()
            file = None if member is None else tar.extractfile(member)
            return None if file is None else file.read()
    except tarfile.TarError:
        return None
