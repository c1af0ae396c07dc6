"""Where one stage works: its inputs, its output, its checkpoint, and whom it tells of progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ddspec.canon import Digest
from ddspec_runners.artifacts import read_tensors, write_tensors
from ddspec_runners.faults import BadData, BadJob

CHECKPOINT = "checkpoint.safetensors"


class Header(BaseModel):
    """What a checkpoint says of itself, beside its tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    done: int
    seconds: float
    engine: tuple[str, str, int]
    """torch, kind of device and of engine, threads: float32 results may differ between any two."""


class StopRequested(Exception):
    """SIGTERM came, and the work so far is in the checkpoint."""


class Inputs(dict[str, Path]):
    """Input name (`train`, `pool/0`, `set`) to its folder; raises BadJob for one that is not there.

    Which inputs a work has is written in its docstring, and nothing compares a job with that.
    """

    def __missing__(self, name: str) -> Path:
        raise BadJob(f"the job names no input `{name}`")


@dataclass(slots=True)
class Site:
    """One stage's view of the job's layout (see `ddspec.wire.job`).

    A task reads `inputs`, calls `advance` after each unit of work and writes its files to `output`.
    """

    key: Digest
    inputs: Mapping[str, Path]
    """Input name (`train`, `pool/0`, `set`) to its folder."""
    output: Path
    scratch: Path
    data: Path | None = None
    """Root of the datasets (`--data`, DDSPEC_DATA), for `prepare` and `checkpoint`."""
    location: Mapping[str, str] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    threads: int = 1
    together: bool = False
    """Whether the work is done as one ensemble with others."""
    stopping: Callable[[], bool] = lambda: False
    """Whether the stage was asked to stop."""
    emit: Callable[[int, int, str, Mapping[str, float]], None] = lambda *_: None
    """Called with (done, total, unit, metrics) by `advance`."""
    started: float = field(default_factory=time.monotonic)
    seconds_before: float = 0.0
    """Working time of earlier attempts, restored with the checkpoint."""
    _saved: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Working time over all attempts that the checkpoint descends from."""
        return self.seconds_before + time.monotonic() - self.started

    def advance(
        self,
        done: int,
        total: int,
        unit: str,
        *,
        state: Callable[[], Mapping[str, Tensor]],
        metrics: Mapping[str, float] | None = None,
        every_s: float = 0.0,
    ) -> None:
        """Report that `done` of `total` units are finished, and save `state()` if it is due.

        A checkpoint is written when `every_s` seconds have passed since the last one, and always
        before `StopRequested` is raised because the job was asked to stop. The last unit writes
        none: the output follows at once.
        """
        self.emit(done, total, unit, metrics or {})
        stop = self.stopping()
        if done < total and (stop or time.monotonic() - self._saved >= every_s):
            self._save(done, state())
        if stop and done < total:
            raise StopRequested

    def resume(
        self, names: Iterable[str] | Callable[[int], Iterable[str]]
    ) -> tuple[int, dict[str, Tensor]] | None:
        """Return (units done, state) of the last whole checkpoint of this key, if there is one.

        `names` are the tensors that it must hold; where they depend on how many units are done,
        what they are then. A checkpoint that cannot be read, that lacks a tensor of `names`
        (another version wrote it), or that was made with another number of threads, on another
        kind of device or by another engine (float32 results would differ), is set aside and work
        starts anew.
        """
        path = self.scratch / CHECKPOINT
        if not path.exists():
            return None
        try:
            state, metadata = read_tensors(path)
            header = Header.model_validate_json(metadata["ddspec"])
            _require(names(header.done) if callable(names) else names, state)
        except (BadData, KeyError, ValueError) as error:
            path.rename(path.with_suffix(".damaged"))
            print(f"checkpoint set aside, it cannot be read: {error}", file=sys.stderr, flush=True)
            return None
        if header.engine != self._engine():
            path.rename(path.with_suffix(".other-engine"))
            return None
        self.seconds_before = header.seconds
        return header.done, state

    def _save(self, done: int, state: Mapping[str, Tensor]) -> None:
        header = Header(done=done, seconds=self.seconds, engine=self._engine())
        write_tensors(self.scratch / CHECKPOINT, state, {"ddspec": header.model_dump_json()})
        self._saved = time.monotonic()

    def _engine(self) -> tuple[str, str, int]:
        engine = f"{self.device.type} ensemble" if self.together else self.device.type
        return (str(torch.__version__), engine, self.threads)


def _require(names: Iterable[str], state: Mapping[str, Tensor]) -> None:
    missing = sorted({*names} - {*state})
    if missing:
        raise BadData(f"it holds no `{missing[0]}`")
