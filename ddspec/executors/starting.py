"""From a request to a running container: lay out, create, probe, start; nothing left on failure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddspec.disk import full_disk_named
from ddspec.engine.connect import Engine
from ddspec.engine.facts import EngineFacts
from ddspec.engine.faults import CONFLICT, NOT_FOUND, EngineGone, EngineRefused, translated
from ddspec.engine.gpus import device_request, host_gpus
from ddspec.errors import DdspecError, Exit
from ddspec.executors.container import DockerRequest, maps_users, on_gpu
from ddspec.executors.ends import read_end
from ddspec.executors.folders import (
    close_to_others,
    give,
    lay_out,
    make_cache,
    require_readable,
)
from ddspec.executors.leases import lease
from ddspec.executors.probe import leave_nonce, require_same_files, require_same_users
from ddspec.executors.refusals import explained
from ddspec.executors.supervise import HANDLE
from ddspec.executors.watching import STARTED, look, remove, status


def begun(engine: Engine, request: DockerRequest) -> bool:
    """Return whether the attempt was started before; remove a container that never came to it.

    Raises DdspecError (exit 6) where the attempt was given up.
    """
    if read_end(request.root) is not None:
        return True
    found = look(engine, request.attempt)
    if found is not None and status(found) not in ("created", "removing"):
        return True
    _require_open(request)
    if found is not None:
        remove(engine, found["Id"], force=False)
    return False


def start(
    engine: Engine,
    facts: EngineFacts,
    request: DockerRequest,
    gpus: Sequence[str],
    *,
    try_users: bool,
) -> bool:
    """Start the container of a request; False where another submitter of the attempt interferes.

    `gpus` are the UUIDs of which a job that needs one gets one; `try_users` has its user try the
    files first. Raises DdspecError (exit 6) and NoRoom; then no container is left.
    """
    given = os.geteuid() == 0 and not facts.rootless
    if given:
        require_readable(request.inputs)
    with full_disk_named(request.root.parent):
        lay_out(request.root, request.document, request.written)
        nonce = leave_nonce(request.root)
    if not maps_users(facts):  # who a mapped user is outside may need the way to its folders
        close_to_others(_around(request))
    if given:
        give(request.written, request.user)
    try:
        container = _create(engine, facts, request, gpus, given=given)
    except EngineRefused as error:
        if error.status == CONFLICT:
            return False
        raise explained(error, facts) from error
    try:
        require_same_files(engine.api, container, request.root, nonce)
        if try_users:
            require_same_users(engine.api, request)
        _require_open(request)
        with translated("start the job"):
            engine.api.start(container)
    except BaseException as error:
        _withdraw(engine, container)
        if not isinstance(error, EngineRefused):
            raise
        if error.status == NOT_FOUND and look(engine, request.attempt) is not None:
            return False
        raise explained(error, facts) from error
    (request.root / STARTED).touch()
    return True


def _around(request: DockerRequest) -> frozenset[Path]:
    """Return the folders that hold what the job may write; those of caches are made here."""
    around = {folder.parent for folder in request.written}
    if request.cache is not None:
        request.cache.parent.mkdir(parents=True, exist_ok=True)
        around.add(request.cache.parent)
    return frozenset(around)


@dataclass(frozen=True, slots=True)
class _Listing:
    """The one thing that a lease asks of an engine."""

    engine: Engine

    def containers(self, *, all: bool, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        with translated("list containers"):
            found: list[dict[str, Any]] = self.engine.api.containers(all=all, filters=filters)
        return found


def _create(
    engine: Engine,
    facts: EngineFacts,
    request: DockerRequest,
    gpus: Sequence[str],
    *,
    given: bool,
) -> str:
    """Create the container, with a GPU where the job needs one, and return its id."""
    if request.job.device != "cuda":
        return _create_plain(engine, request, given=given)
    if not gpus:
        raise DdspecError(
            "the job needs a GPU, and none was given to choose from",
            exit=Exit.UNABLE,
            hint="`--gpus all` takes any of this machine; `--device cpu` does without",
        )
    known = host_gpus()
    archs = {gpu.uuid: gpu.arch for gpu in known}

    def create_on(uuid: str) -> str:
        device = device_request(uuid, facts, known)
        request_on = on_gpu(request, uuid, device, archs.get(uuid, "cuda"))
        return _create_plain(engine, request_on, given=given)

    return lease(_Listing(engine), gpus, create_on, lambda one: remove(engine, one, force=True))


def _create_plain(engine: Engine, request: DockerRequest, *, given: bool) -> str:
    if request.cache is not None:
        with full_disk_named(request.root.parent):
            make_cache(request.cache, request.user if given else None)
    with translated("create a container"):
        made = engine.api.create_container_from_config(request.body, request.name)
    return str(made["Id"])


def _withdraw(engine: Engine, container: str) -> None:
    """Remove a container that was not to be; where nobody answers, a later sweep does."""
    with suppress(EngineGone, EngineRefused):
        remove(engine, container, force=True)


def _require_open(request: DockerRequest) -> None:
    if (request.root / HANDLE).exists():
        raise DdspecError(
            f"{request.name} was given up before it started",
            exit=Exit.UNABLE,
            hint="run again: its stages get a new attempt",
        )
