"""What an executor is: a place where jobs run, and how one talks to it."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, TypeVar

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec.errors import DdspecError, Exit
from ddspec.wire.job import Job

Handle: TypeAlias = str
"""An executor's own name of a submitted job; means something to any instance, for all time."""
Stream: TypeAlias = Literal["stdout", "stderr"]


class Phase(StrEnum):
    """Where a job is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    PREEMPTED = "preempted"
    """Stopped by a signal that asks for a checkpoint (143); whether we sent it, we know."""
    LOST = "lost"
    """Gone without an exit code, or killed by another signal."""
    UNREACHABLE = "unreachable"
    """Nobody answers: the job may live. Never mistaken for failed, which would start it twice."""


@dataclass(frozen=True, slots=True)
class JobState:
    """What an executor knows of a job."""

    phase: Phase
    exit: int | None = None
    """Exit code of the runner, where one is known."""
    reason: str = ""
    intact: bool = True
    """False when the machine went down under the job, so that its files may be half on disk."""

    @property
    def over(self) -> bool:
        """Whether the job is certainly gone and writes nothing any more."""
        return self.phase in (Phase.DONE, Phase.FAILED, Phase.PREEMPTED, Phase.LOST)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a place can do."""

    after: bool
    """Whether `submit` can wait for other jobs by itself."""
    survives_host: bool
    """Whether jobs go on when the process that submitted them dies."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where an executor finds things: values, so that executors know nothing of the store."""

    store_id: str
    attempts: Path
    scratch: Path
    object: Callable[[Digest], Path]
    """Where the stored output of a key lies."""
    data: Path | None = None
    """Root of the datasets."""
    cache: Path | None = None
    """Where compilers keep what they made; nothing in it changes a result."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person asks of the place where jobs run; nothing here changes what they compute."""

    image: str | None = None
    """Reference of the runner image; None for the one that belongs to this version."""
    gpus: tuple[str, ...] = ()
    """UUIDs of the GPUs that jobs may take, one each; MIG instances have UUIDs too."""
    jobs: int = 1
    """Most jobs at one time: each gets its share of the memory."""
    memory: int | None = None
    """Bytes that a job may use, shared memory and temporary files included."""
    shm: int | None = None
    """Bytes of shared memory of a job."""


class Unreachable(DdspecError):
    """The place does not answer: what was asked of it may have happened or not (exit 6)."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, exit=Exit.UNABLE, hint=hint)


class NoRoom(Exception):
    """Whatever the job needs is taken by other jobs at the moment, so it was not started.

    The text says by whom; asking again later may do.
    """


@dataclass(frozen=True, slots=True)
class JobOrder:
    """One attempt at a job. Its inputs are keys: the executor brings them to where it runs."""

    attempt: str
    """Names the job and the attempt; two orders of one attempt are the same order."""
    document: Job

    @property
    def inputs(self) -> tuple[Digest, ...]:
        """Keys of all inputs, each once, ordered."""
        return tuple(
            sorted({key for stage in self.document.stages for key in stage.inputs.values()})
        )


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of what a job printed, and where the next piece begins."""

    text: str
    offset: int
    """In bytes."""

    @classmethod
    def of(cls, content: bytes, begin: int) -> LogChunk:
        """Return the text of bytes from an offset on; a character cut off at the end waits."""
        decoder = getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(content)
        waits = len(decoder.getstate()[0])
        if waits == len(content):  # nothing else came: its rest never will
            return cls(content.decode(errors="replace"), begin + len(content))
        return cls(text, begin + len(content) - waits)


RequestT = TypeVar("RequestT")


class Executor(Protocol[RequestT]):
    """A place where jobs run.

    Any instance, in any process, can poll, cancel and read what another one submitted. Every method
    but `prepare` and `poll` raises `Unreachable` where the place does not answer.
    """

    name: str

    def capabilities(self) -> Capabilities:
        """Return what this place can do."""
        ...

    def prepare(self, order: JobOrder) -> RequestT:
        """Return the exact request that `submit` would send; touches nothing, repeatable."""
        ...

    def submit(self, request: RequestT, after: Sequence[Handle] = ()) -> Handle:
        """Start the request and return its handle.

        Idempotent: a second call for the same attempt starts nothing and returns the same handle.
        Raises DdspecError (exit 6) where the place cannot start jobs, NoRoom where it cannot for
        now; in both cases nothing is left behind.
        """
        ...

    def poll(self, handles: Sequence[Handle]) -> Mapping[Handle, JobState]:
        """Return the state of each job now."""
        ...

    def logs(self, handle: Handle, offset: int = 0, stream: Stream = "stderr") -> LogChunk:
        """Return what the job printed from a byte offset on; a negative one counts from the end."""
        ...

    def cancel(self, handle: Handle, *, force: bool = False) -> None:
        """Ask the job to checkpoint and end, or kill it; does nothing to one that is over."""
        ...

    def settle(self, attempt: str) -> Handle | None:
        """Return the handle of an attempt whose submitter died before it could write it down.

        None where the job never started, and then this call made sure that it never will.
        """
        ...

    def find(self, store_id: str) -> Mapping[str, Handle]:
        """Return the living jobs of a store: attempt to handle."""
        ...

    def retire(self, handle: Handle) -> Mapping[str, JsonValue]:
        """Take down what is left of a job that is over, and return where it ran, for the journal.

        Afterwards nothing can write into its folders, they belong to the caller, and its state and
        text can still be asked for. Idempotent.
        """
        ...

    def sweep(self, claimed: Callable[[], Collection[str]]) -> Sequence[str]:
        """Remove jobs of this store that nobody claims; return the names of their attempts.

        Such a job was left by a run that died before it could start it, or was stolen. `claimed`
        is called after the jobs were listed: a claim is older than its job, so that no other run
        loses one that it starts meanwhile.
        """
        ...
