"""One small container, hardened as those of jobs are, that says what it is and may do."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from ddspec.doctor.patient import Patient
from ddspec.doctor.store_checks import PREFIX
from ddspec.engine.faults import translated
from ddspec.engine.gpus import device_request
from ddspec.errors import DdspecError, Exit
from ddspec.host import ProcessId, this_process

LABEL = "org.ddspec.doctor"
"""On the container: the process that examines, so that a later one knows whether it is gone."""
NOBODY = 65532
"""Whom jobs of root are."""
MEMORY, SHARED, TEMPORARY, PIDS = 512 << 20, 64 << 20, 16 << 20, 64
END_S = 15
"""A container of one short script ends in a fraction of a second."""
SIZE_LIMIT = 1 << 16


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


@dataclass(frozen=True, slots=True)
class Question:
    """What is bound into the container, and as whom it runs."""

    folder: Path
    user: tuple[int, int]
    data: Path | None = None
    gpu: str | None = None


def probe(patient: Patient, *, data: Path | None = None, gpu: str | None = None) -> Told:
    """Run the container and return what it said; nothing of it stays.

    Raises DdspecError (exit 6) where it cannot be created, started or understood.
    """
    remove_old(patient)
    with _folder(patient) as folder:
        question = Question(folder, user_of(patient), data, gpu)
        nonce = secrets.token_hex(16)
        (folder / "nonce").write_text(nonce)
        if question.user[0] != os.getuid() and os.getuid() == 0 and not patient.facts.rootless:
            os.chown(folder, *question.user)
        name = f"ddspec-doctor-{secrets.token_hex(4)}"
        try:
            return _run(patient, name, body(patient, question), folder, nonce)
        finally:
            _remove(patient, name)


def user_of(patient: Patient) -> tuple[int, int]:
    """Return the user and group that a container runs as, as for a job."""
    if patient.facts.rootless:
        return 0, 0  # root inside is the caller outside
    return (NOBODY, NOBODY) if os.getuid() == 0 else (os.getuid(), os.getgid())


def body(patient: Patient, question: Question) -> dict[str, JsonValue]:
    """Return the body of the request that creates the container."""
    binds: list[JsonValue] = [_bind(question.folder, "/output", read_only=False)]
    if question.data is not None:
        binds.append(_bind(question.data, "/data", read_only=True))
    facts, user, group = patient.facts, *question.user
    host: dict[str, JsonValue] = {
        "Mounts": binds,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", "label=disable"],
        "NetworkMode": "none",
        "IpcMode": "private",
        "Init": True,
        "Memory": MEMORY,
        "ShmSize": SHARED,
        "Tmpfs": {"/tmp": f"exec,mode=1777,size={TEMPORARY}"},
        "RestartPolicy": {"Name": "no"},
    }
    if facts.swap_limit:
        host["MemorySwap"] = MEMORY
    if facts.pids_limit:
        host["PidsLimit"] = PIDS
    if question.gpu is not None:
        host["DeviceRequests"] = [device_request(question.gpu, facts, patient.found.gpus)]
    return {
        "Image": patient.image.id,
        "User": f"{user}:{group}",
        "Entrypoint": [_python(patient), "-I", "-S", "-c", _source()],
        "Cmd": [],
        "Env": ["HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1"],
        "WorkingDir": "/",
        "Labels": {LABEL: json.dumps(asdict(this_process()))},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
    }


def remove_old(patient: Patient) -> None:
    """Remove the containers of examinations that were killed."""
    api = patient.engine.api
    with translated("list containers"):
        for container in api.containers(all=True, filters={"label": [LABEL]}):
            if _abandoned(container):
                _remove(patient, container["Id"])


def _abandoned(container: Mapping[str, JsonValue]) -> bool:
    labels = container.get("Labels")
    text = labels.get(LABEL) if isinstance(labels, dict) else None
    try:
        owner = ProcessId(**json.loads(str(text)))
    except (ValueError, TypeError):
        return False
    return owner.here() and not owner.alive()


@contextmanager
def _folder(patient: Patient) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=patient.ground))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(
    patient: Patient, name: str, request: Mapping[str, JsonValue], folder: Path, nonce: str
) -> Told:
    api = patient.engine.api
    with translated("run a small container"):
        made = api.create_container_from_config(dict(request), name)["Id"]
        if _read(patient, made, "/output/nonce") != nonce:
            raise unseen(folder)
        api.start(made)
        deadline = time.monotonic() + END_S
        while (state := api.inspect_container(made)["State"])["Running"]:
            if time.monotonic() > deadline:
                raise _silent(f"did not end within {END_S} s")
            time.sleep(0.02)
        said = api.logs(made, stdout=True, stderr=False, tail=10)
        if state["ExitCode"] != 0:
            why = api.logs(made, stdout=False, stderr=True, tail=1).decode(errors="replace")
            raise _silent(f"ended with {state['ExitCode']}: {why.strip() or state['Error']}")
    try:
        return Told.model_validate_json(said)
    except ValueError as error:
        raise _silent("said nothing that can be understood") from error


def unseen(path: Path) -> DdspecError:
    """Return the error of an engine that has another file system than this program."""
    return DdspecError(
        f"the engine does not see this path: {path}",
        exit=Exit.UNABLE,
        hint="it runs on another machine (ssh, tcp) or outside the container that this runs in: "
        "use a store on a path that both see, or an engine on this machine",
    )


def _silent(what: str) -> DdspecError:
    return DdspecError(
        f"a small container of the runner image {what}",
        exit=Exit.UNABLE,
        hint="build the image again: `ddspec image build`; the engine's log says more",
    )


def _read(patient: Patient, container: str, path: str) -> str | None:
    """Return the content of a small file as the engine sees it; None where it sees none."""
    from docker.errors import NotFound

    try:
        chunks, _ = patient.engine.api.get_archive(container, path)
        content = b"".join(chunks)[:SIZE_LIMIT]
    except NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        return None if file is None else file.read().decode()


def _remove(patient: Patient, name: str) -> None:
    """Remove a container by force; where the engine does not answer, the next one does it."""
    from docker.errors import DockerException
    from requests import RequestException

    with suppress(DockerException, RequestException):
        patient.engine.api.remove_container(name, force=True)


def _python(patient: Patient) -> str:
    """Return the interpreter that the image starts the runners with."""
    with translated("look at the image"):
        config = patient.engine.api.inspect_image(patient.image.id)["Config"]
    entry = config.get("Entrypoint") or ["python3"]
    return str(entry[0])


def _source() -> str:
    return (Path(__file__).parent / "inside.py").read_text()


def _bind(source: Path, target: str, *, read_only: bool) -> dict[str, JsonValue]:
    return {
        "Type": "bind",
        "Source": str(source.resolve()),
        "Target": target,
        "ReadOnly": read_only,
    }
