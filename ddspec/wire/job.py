"""A job: one or more stages to realise in one process; and the result of each.

Layout that a runner sees (in a container these are absolute paths, locally under one root)::

    job/job.json        the Job                                     read-only
    inputs/KEY/         outputs of upstream stages                  read-only
    data/               datasets                                    read-only
    output/KEY/         files and result.json of each stage
    scratch/KEY/        checkpoints and events.jsonl, survive a kill

Exit codes: 0 done, 64 bad job, 65 bad data, 69 device lost, 74 disk full, 75 try again, 137 or
143 killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from ddspec.canon import Digest
from ddspec.wire.work import Work

JOB_FORMAT = "ddspec.job/1"
RESULT_FORMAT = "ddspec.result/1"
EVENT_FORMAT = "ddspec.event/1"


class JobExit(IntEnum):
    """Exit codes of a runner."""

    DONE = 0
    FAULT = 1
    BAD_JOB = 64
    BAD_DATA = 65
    DEVICE_LOST = 69
    DISK_FULL = 74
    TRY_AGAIN = 75
    TERMINATED = 143


class WireModel(BaseModel):
    """Base of what crosses the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class JobStage(WireModel):
    """One stage of a job."""

    key: Digest
    label: str
    work: Work
    inputs: Mapping[str, Digest]
    """Input name to key; the files are under inputs/KEY/."""
    location: Mapping[str, str] = {}
    """For `prepare` of a folder: where it lies under data/ (`path`, `train`, `test`)."""


_IF_KNOWN = frozenset({"image", "source", "engine"})

Engine: TypeAlias = Literal["single", "ensemble"]
"""How networks that are judged are trained: one after the other, or several in one stack."""


class Job(WireModel):
    """What a runner is asked to do."""

    format: Literal["ddspec.job/1"] = "ddspec.job/1"
    stages: tuple[JobStage, ...]
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cpu"
    image: str = ""
    """Pinned reference of the image that the runner is in; empty, and not sent, outside one."""
    source: str = ""
    """Digest of the runners' source as the submitter has it; empty, and not sent, if unknown."""
    engine: Engine | None = None
    """None, which is not sent, is `single`; the results of an ensemble say so."""

    @model_serializer(mode="wrap")
    def _sent(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = plain(self)
        return {name: value for name, value in fields.items() if name not in _IF_KNOWN or value}


class Result(WireModel):
    """What a finished stage says of itself, written last as output/KEY/result.json."""

    format: Literal["ddspec.result/1"] = "ddspec.result/1"
    key: Digest
    label: str
    kind: str
    revision: int
    metrics: Mapping[str, JsonValue]
    """Figures of the stage, such as `accuracy` as a fraction."""
    engine: Mapping[str, JsonValue]
    """Versions, device, threads: what may differ between two runs of the same key."""
    seconds: float
    """Wall time of the work over all attempts that led to this result."""


class Event(WireModel):
    """One line of scratch/KEY/events.jsonl, copied to stdout."""

    format: Literal["ddspec.event/1"] = "ddspec.event/1"
    key: Digest
    event: Literal["started", "progress", "checkpoint", "done", "stopped"]
    done: int = 0
    total: int = 0
    unit: str = ""
    """What is counted: `outer loops`, `epochs`, `images`."""
    seconds: float = 0.0
    """Working time so far, over all attempts."""
    metrics: Mapping[str, float] = {}
