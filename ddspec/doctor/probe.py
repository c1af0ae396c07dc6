"""One small container, walled in as those of jobs are, that says what it is and may do."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ddspec.doctor.patient import Patient
from ddspec.doctor.store_checks import PREFIX
from ddspec.engine.faults import EngineGone, EngineRefused, translated
from ddspec.engine.gpus import device_request
from ddspec.errors import DdspecError, Exit
from ddspec.executors.container import Sizes, bind_mount, host_config, user_of
from ddspec.executors.folders import give, lay_out
from ddspec.executors.probe import leave_nonce, require_same_files
from ddspec.executors.refusals import explained
from ddspec.host import ProcessId, this_process

LABEL = "org.ddspec.doctor"
"""On the container: the process that examines, so that a later one knows whether it is gone."""
SIZES = Sizes(memory=512 << 20, shm=64 << 20, tmp=16 << 20)
END_S = 30.0
"""A container of one short script ends in a fraction of a second."""


class Told(BaseModel):
    """What the container said, see `ddspec.doctor.inside`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uid: int
    gid: int
    capabilities: int
    confined: bool
    root_error: str | None
    tmp_error: str | None
    folder_error: str | None
    data_error: str | None
    networks: str
    socket: str | None
    memory: str | None
    pids: str | None
    shared: int
    nvidia: bool


def probe(patient: Patient, *, data: Path | None = None, gpu: str | None = None) -> Told:
    """Run the container and return what it said; nothing of it stays.

    `data` is bound to /data, `gpu` is the UUID of one to hand on. Raises DdspecError (exit 6) where
    the container cannot be created, started or understood.
    """
    remove_old(patient)
    with _folder(patient) as folder:
        lay_out(folder, b"{}", ())
        user = whom(patient)
        if os.geteuid() == 0 and not patient.facts.rootless:
            give([folder / "output"], user)
        request = body(patient, folder, user, data)
        if gpu is not None:
            request["HostConfig"]["DeviceRequests"] = [
                device_request(gpu, patient.facts, patient.found.gpus)
            ]
        try:
            return _run(patient, request, folder)
        except EngineRefused as error:
            raise explained(error, patient.facts) from error


def whom(patient: Patient) -> tuple[int, int]:
    """Return the user and group that containers of jobs run as."""
    return user_of(patient.facts, (os.geteuid(), os.getegid()))


def body(
    patient: Patient, folder: Path, user: tuple[int, int], data: Path | None
) -> dict[str, Any]:
    """Return the body of the request that creates the container."""
    mounts = [
        bind_mount(folder / "job", "/job", writable=False),
        bind_mount(folder / "output", "/output", writable=True),
        *([bind_mount(data.resolve(), "/data", writable=False)] if data else ()),
    ]
    return {
        "Image": patient.image.id,
        "User": ":".join(map(str, user)),
        "Entrypoint": [_python(patient), "-I", "-S", "-c", _source()],
        "Cmd": [],
        "Env": ["HOME=/tmp"],
        "WorkingDir": "/",
        "Labels": {LABEL: json.dumps(asdict(this_process()))},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host_config(patient.facts, SIZES, mounts),
    }


def remove_old(patient: Patient) -> None:
    """Remove the containers of examinations on this machine that were killed."""
    api = patient.engine.api
    with translated("list containers"):
        containers = api.containers(all=True, filters={"label": [LABEL]})
    for container in containers:
        if _abandoned(container):
            _remove(patient, container["Id"])


def _abandoned(container: Mapping[str, Any]) -> bool:
    try:
        owner = ProcessId(**json.loads(container["Labels"][LABEL]))
    except (ValueError, TypeError, LookupError):
        return False
    return owner.here() and not owner.alive()


@contextmanager
def _folder(patient: Patient) -> Iterator[Path]:
    """Make a folder as that of an attempt is, whose way in is open to other users."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=patient.ground))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(patient: Patient, request: Mapping[str, Any], folder: Path) -> Told:
    api, name = patient.engine.api, f"ddspec-doctor-{secrets.token_hex(4)}"
    nonce = leave_nonce(folder)
    try:
        with translated("create a small container"):
            api.create_container_from_config(dict(request), name)
        require_same_files(api, name, folder, nonce)
        with translated("start a small container"):
            api.start(name)
        said = _ended(api, name)
    finally:
        _remove(patient, name)
    try:
        return Told.model_validate_json(said)
    except ValueError as error:
        raise _odd("said nothing that can be understood") from error


def _ended(api: Any, name: str) -> bytes:
    """Return what the container printed, once it has ended well."""
    deadline = time.monotonic() + END_S
    with translated("run a small container"):
        while (state := api.inspect_container(name)["State"])["Status"] in ("running", "created"):
            if time.monotonic() > deadline:
                raise _odd(f"did not end within {END_S:.0f} s")
            time.sleep(0.02)
        if state["ExitCode"] != 0:
            why = api.logs(name, stdout=False, stderr=True, tail=1).decode(errors="replace")
            raise _odd(f"ended with {state['ExitCode']}: {why.strip() or state['Error']}")
        said: bytes = api.logs(name, stdout=True, stderr=False, tail=1)
    return said


def _odd(what: str) -> DdspecError:
    return DdspecError(
        f"a small container of the runner image {what}",
        exit=Exit.UNABLE,
        hint="`ddspec image check` looks at the image, `ddspec image build` makes it again",
    )


def _remove(patient: Patient, name: str) -> None:
    """Remove a container by force; where the engine does not answer, the next one does it."""
    with suppress(EngineGone, EngineRefused), translated("remove a small container"):
        patient.engine.api.remove_container(name, force=True)


def _python(patient: Patient) -> str:
    """Return the interpreter that the image starts the runners with."""
    with translated("look at the image"):
        config = patient.engine.api.inspect_image(patient.image.id)["Config"]
    entry = config.get("Entrypoint") or ["python3"]
    return str(entry[0])


def _source() -> str:
    return (Path(__file__).parent / "inside.py").read_text()
