"""Jobs as process groups on this machine."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

from pydantic import JsonValue

from ddspec.canon import Digest, canonical
from ddspec.disk import create_whole, disk_full, free_bytes, full_disk_named, write_whole
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import (
    Capabilities,
    Handle,
    JobOrder,
    JobState,
    LogChunk,
    Phase,
    Site,
    Stream,
    Terms,
)
from ddspec.executors.gpu_locks import FOLDER, lock
from ddspec.executors.streams import read_file
from ddspec.executors.supervise import HANDLE, SEALED, read_exit, read_leader, start
from ddspec.host import ProcessId
from ddspec.wire.job import JobExit

COMMAND = (sys.executable, "-P", "-m", "ddspec_runners")
"""`-P`: no module is imported from the folder of the job."""
RUNTIME = ("torch", "torchvision", "safetensors", "sklearn", "numpy", "PIL")
"""What the runners import; looked for before a job is started, and never imported here."""
PASSED_ON = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "XDG_CACHE_HOME"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "CUDA_CACHE_PATH"),
    *("NVIDIA_VISIBLE_DEVICES", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"),
)
"""Variables of the caller that a job sees; nothing else leaks into it."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
START_TIMEOUT_S = 30.0
LEAST_FREE = 1 << 16
"""Bytes; below this, a supervisor that did not start is put down to the full disk."""


EXITS: Mapping[int, str] = {
    JobExit.FAULT: "the runner failed",
    JobExit.BAD_JOB: "the runner refused the job",
    JobExit.BAD_DATA: "the runner refused the data",
    JobExit.DEVICE_LOST: "the device was lost",
    JobExit.DISK_FULL: "the runner had no room to write",
    JobExit.TRY_AGAIN: "the runner could not go on for now",
}
"""What the exit codes of a runner say, for people."""


@dataclass(frozen=True, slots=True)
class LocalRequest:
    """Everything about a job before it is started."""

    root: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    document: bytes
    links: Mapping[Digest, Path]
    """Each input's key to the stored output; becomes inputs/KEY."""
    scratch: tuple[Path, ...]
    gpus: tuple[str, ...] = ()
    """The job gets one of these; none where it needs no GPU, or nobody says which it may have."""


@dataclass(slots=True)
class LocalExecutor:
    """Runs each job in a session of its own, with files for what it prints."""

    site: Site
    terms: Terms = field(default_factory=Terms)
    command: tuple[str, ...] = COMMAND
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    locks: Path = FOLDER
    """Where local jobs of all users say which GPU they have."""
    name: str = "local"
    _children: set[int] = field(default_factory=set)

    def capabilities(self) -> Capabilities:
        """Return what this place can do."""
        return Capabilities(after=False, survives_host=True)

    def prepare(self, order: JobOrder) -> LocalRequest:
        """Return the request of an order; touches nothing."""
        root = self.site.attempts / order.attempt
        data = ("--data", str(self.site.data.absolute())) if self.site.data else ()
        argv = (*self.command, "--root", str(root), "--scratch", str(self.site.scratch), *data)
        return LocalRequest(
            root=root,
            argv=argv,
            environment=self._environment(order.document.threads),
            document=canonical(order.document.model_dump(mode="json")),
            links={key: self.site.object(key) for key in order.inputs},
            scratch=tuple(self.site.scratch / stage.key for stage in order.document.stages),
            gpus=self.terms.gpus if order.document.device == "cuda" else (),
        )

    def submit(self, request: LocalRequest, after: Sequence[Handle] = ()) -> Handle:
        """Start the request unless its attempt was started before; return its handle."""
        if after:
            raise ValueError("jobs on this machine cannot wait for each other")
        leader = read_leader(request.root)
        if leader is None:
            if self.command == COMMAND:
                _require_runtime()
            with self._with_gpu(request) as (given, kept):
                with full_disk_named(self.site.attempts):
                    _lay_out(given)
                leader = self._start(given, kept)
        return _handle(leader, request.root.name)

    def poll(self, handles: Sequence[Handle]) -> Mapping[Handle, JobState]:
        """Return the state of each job now."""
        self._reap()
        return {handle: self._state(handle) for handle in handles}

    def logs(self, handle: Handle, offset: int = 0, stream: Stream = "stderr") -> LogChunk:
        """Return at most 1 MiB of what the job printed."""
        _, attempt = _parse(handle)
        try:
            return read_file(self.site.attempts / attempt / stream, offset)
        except FileNotFoundError:
            return LogChunk("", max(0, offset))

    def cancel(self, handle: Handle, *, force: bool = False) -> None:
        """Send SIGTERM, or SIGKILL, to all of the job."""
        leader, _ = _parse(handle)
        self._reap()
        if leader.group_alive():
            with suppress(ProcessLookupError):
                os.killpg(leader.pid, signal.SIGKILL if force else signal.SIGTERM)

    def settle(self, attempt: str) -> Handle | None:
        """Return the handle of an attempt, or seal it so that it can never start."""
        root = self.site.attempts / attempt
        with full_disk_named(self.site.attempts):
            root.mkdir(exist_ok=True)
            create_whole(root / HANDLE, SEALED)
        leader = read_leader(root)
        return None if leader is None else _handle(leader, attempt)

    def find(self, store_id: str) -> Mapping[str, Handle]:
        """Return the living jobs of the store, if it is this executor's."""
        if store_id != self.site.store_id:
            return {}
        self._reap()
        leaders = {
            root.name: leader
            for root in sorted(self.site.attempts.iterdir())
            if (leader := read_leader(root)) is not None
        }
        return {
            attempt: _handle(leader, attempt)
            for attempt, leader in leaders.items()
            if leader.group_alive()
        }

    def retire(self, handle: Handle) -> Mapping[str, JsonValue]:
        """Do nothing: a job that is over has left its files, and nothing else."""
        _parse(handle)
        return {}

    def sweep(self, claimed: Callable[[], Collection[str]]) -> Sequence[str]:
        """Do nothing: a job here signs its attempt itself, or never starts."""
        return ()

    def _environment(self, threads: int) -> Mapping[str, str]:
        passed = {name: self.environ[name] for name in PASSED_ON if name in self.environ}
        if "PYTHONPATH" in passed:  # the job has another working directory
            parts = passed["PYTHONPATH"].split(os.pathsep)
            passed["PYTHONPATH"] = os.pathsep.join(str(Path(part).absolute()) for part in parts)
        return {**passed, **dict.fromkeys(THREAD_VARIABLES, str(threads)), "PYTHONHASHSEED": "0"}

    @contextmanager
    def _with_gpu(self, request: LocalRequest) -> Iterator[tuple[LocalRequest, int | None]]:
        """Yield the request for one GPU that is free, and an open file that holds it for the job.

        Raises NoRoom where none is free.
        """
        if not request.gpus:
            yield request, None
            return
        gpu, file = lock(request.gpus, self.locks)
        environment = {**request.environment, "CUDA_VISIBLE_DEVICES": gpu}
        try:
            yield replace(request, environment=environment, gpus=(gpu,)), file
        finally:
            os.close(file)

    def _start(self, request: LocalRequest, keep: int | None) -> ProcessId:
        """Start a supervisor and wait until one, this or an earlier one, has signed the attempt."""
        child = start(request.root, request.argv, request.environment, keep)
        self._children.add(child)
        end = time.monotonic() + START_TIMEOUT_S
        while (leader := read_leader(request.root)) is None:
            self._reap()
            gone = child not in self._children
            if (gone and read_leader(request.root) is None) or time.monotonic() > end:
                if free_bytes(request.root) < LEAST_FREE:
                    raise disk_full(self.site.attempts)
                raise DdspecError(
                    f"cannot start a process for {request.root.name}",
                    exit=Exit.UNABLE,
                    hint=f"see {request.root / 'stderr'}",
                )
            time.sleep(0.001)
        return leader

    def _state(self, handle: Handle) -> JobState:
        leader, attempt = _parse(handle)
        if not leader.here():
            return JobState(Phase.UNREACHABLE, reason=f"a job on the machine {leader.host}")
        if not leader.this_boot():
            return JobState(Phase.LOST, reason="the machine was restarted", intact=False)
        if leader.group_alive():
            return JobState(Phase.RUNNING)
        return judge(read_exit(self.site.attempts / attempt))

    def _reap(self) -> None:
        """Let the system forget our children that have ended, so that they do not look alive."""
        for pid in tuple(self._children):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # somebody else in this process waited for it
                ended = pid
            if ended:
                self._children.discard(pid)


def judge(code: int | None) -> JobState:
    """Return what an exit code, or its absence, says of a job that is gone."""
    if code is None:
        return JobState(Phase.LOST, reason="it was killed together with its supervisor")
    if code == JobExit.DONE:
        return JobState(Phase.DONE, code)
    if code == JobExit.TERMINATED:
        return JobState(Phase.PREEMPTED, code, "it was asked to stop")
    if code > 128:
        return JobState(Phase.LOST, code, f"signal {code - 128} killed it")
    return JobState(Phase.FAILED, code, f"{EXITS.get(code, 'the runner died')}, exit code {code}")


def _require_runtime() -> None:
    """Refuse where the packages of the runners are not installed; raises DdspecError (exit 6)."""
    missing = [name for name in RUNTIME if find_spec(name) is None]
    if missing:
        raise DdspecError(
            f"stages cannot run here: {', '.join(missing)} not installed for {sys.executable}",
            exit=Exit.UNABLE,
            hint="`pip install 'ddspec[runners]'`, or run in containers: `--executor docker`",
        )


def _lay_out(request: LocalRequest) -> None:
    for folder in (request.root / "job", request.root / "inputs", request.root / "output"):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in request.scratch:
        folder.mkdir(parents=True, exist_ok=True)
    for key, target in request.links.items():
        with suppress(FileExistsError):
            (request.root / "inputs" / key).symlink_to(target)
    write_whole(request.root / "job" / "job.json", request.document)


def _handle(leader: ProcessId, attempt: str) -> Handle:
    return json.dumps([*astuple(leader), attempt])


def _parse(handle: Handle) -> tuple[ProcessId, str]:
    try:
        host, boot, pid, birth, attempt = json.loads(handle)
        return ProcessId(str(host), str(boot), int(pid), str(birth)), str(attempt)
    except (ValueError, TypeError) as error:
        raise DdspecError(f"`{handle}` names no job on a machine", exit=Exit.UNABLE) from error
