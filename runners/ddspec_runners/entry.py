"""From job.json to result.json: the one entry point of containers and local processes."""

from __future__ import annotations

import argparse
import errno
import json
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

import torch
from pydantic import ValidationError

from ddspec.errors import DdspecError
from ddspec.wire.job import Event, Job, JobExit, JobStage, Result
from ddspec_runners import runtime
from ddspec_runners.abilities import require_parts
from ddspec_runners.artifacts import write_text
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.site import CHECKPOINT, Site, StopRequested
from ddspec_runners.tasks.table import TASKS

FATAL = frozenset({JobExit.DEVICE_LOST, JobExit.DISK_FULL, JobExit.TRY_AGAIN, JobExit.TERMINATED})
"""Codes after which the other stages of a job are not tried."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the job's layout lies."""

    root: Path
    scratch: Path
    data: Path | None

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Folders:
        """Read the command line; the defaults are the absolute paths of a container."""
        parser = argparse.ArgumentParser(prog="ddspec_runners", description=__doc__)
        parser.add_argument("--root", type=Path, default=Path("/"))
        parser.add_argument("--scratch", type=Path)
        parser.add_argument("--data", type=Path)
        args = parser.parse_args(argv)
        container_data = Path("/data") if args.root == Path("/") else None
        return cls(args.root, args.scratch or args.root / "scratch", args.data or container_data)


class Stop:
    """The flag that SIGTERM raises; tasks look at it between units of work."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Return whether the job was asked to stop."""
        return self.requested

    def request(self, _signal: int, _frame: FrameType | None) -> None:
        """Remember that the job was asked to stop."""
        self.requested = True


def main(argv: Sequence[str] | None = None) -> int:
    """Realise every stage of the job and return the exit code (`ddspec.wire.job.JobExit`)."""
    stop = Stop()
    signal.signal(signal.SIGTERM, stop.request)
    folders = Folders.parse(sys.argv[1:] if argv is None else argv)
    try:
        job = Job.model_validate_json((folders.root / "job/job.json").read_bytes())
        device = runtime.settle(job)
    except (OSError, ValidationError, BadJob) as error:
        print(f"bad job: {error}", file=sys.stderr)
        return JobExit.BAD_JOB
    codes = []
    for stage in job.stages:
        codes.append(_guarded(stage, job, folders, device, stop))
        if codes[-1] in FATAL:
            break
    return next((code for code in codes if code), JobExit.DONE)


def _guarded(
    stage: JobStage, job: Job, folders: Folders, device: torch.device, stop: Stop
) -> JobExit:
    """Realise one stage and translate what goes wrong into an exit code and a line for people."""
    try:
        _realise(stage, job, folders, device, stop)
    except StopRequested:
        return JobExit.TERMINATED
    except (BadJob, DdspecError) as error:
        return _say(stage, f"bad job: {error}", JobExit.BAD_JOB)
    except BadData as error:
        return _say(stage, f"bad data: {error}", JobExit.BAD_DATA)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _say(stage, f"no space left: {error}", JobExit.DISK_FULL)
        traceback.print_exc()
        return _say(stage, f"{type(error).__name__}: {error}", JobExit.FAULT)
    except torch.OutOfMemoryError as error:
        return _say(stage, f"out of device memory: {error}", JobExit.FAULT)
    except torch.AcceleratorError as error:
        return _say(stage, f"device lost: {error}", JobExit.DEVICE_LOST)
    except Exception as error:  # the boundary: a fault of one stage must not take the others along
        traceback.print_exc()
        return _say(stage, f"{type(error).__name__}: {error}", JobExit.FAULT)
    return JobExit.DONE


def _say(stage: JobStage, text: str, code: JobExit) -> JobExit:
    print(f"{stage.label}: {text}", file=sys.stderr, flush=True)
    return code


def _realise(stage: JobStage, job: Job, folders: Folders, device: torch.device, stop: Stop) -> None:
    output = folders.root / "output" / stage.key
    scratch = folders.scratch / stage.key
    if (output / "result.json").exists():
        return
    require_parts(stage.work)
    output.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    with (scratch / "events.jsonl").open("a", encoding="utf-8") as events:
        site = Site(
            key=stage.key,
            inputs={name: folders.root / "inputs" / key for name, key in stage.inputs.items()},
            output=output,
            scratch=scratch,
            data=folders.data,
            location=stage.location,
            device=device,
            threads=job.threads,
            stopping=stop,
        )
        tell = partial(_tell, events, stage, site)
        site.emit = partial(tell, "progress")
        tell("started")
        try:
            with runtime.precise(getattr(stage.work, "precision", "float32")):
                metrics = TASKS[stage.work.kind](stage.work, site)
        except StopRequested:
            tell("stopped")
            raise
        result = Result(
            key=stage.key,
            label=stage.label,
            kind=stage.work.kind,
            revision=stage.work.revision,
            metrics=metrics,
            engine=runtime.engine(device, job.threads, job.image, job.source),
            seconds=round(site.seconds, 3),
        )
        write_text(output / "result.json", result.model_dump_json(indent=2) + "\n")
        (scratch / CHECKPOINT).unlink(missing_ok=True)
        tell("done")


def _tell(
    events: TextIO,
    stage: JobStage,
    site: Site,
    event: str,
    done: int = 0,
    total: int = 0,
    unit: str = "",
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Append one event to the record in scratch, and copy it to stdout."""
    line = Event.model_validate(
        {
            "key": stage.key,
            "event": event,
            "done": done,
            "total": total,
            "unit": unit,
            "seconds": round(site.seconds, 3),
            "metrics": metrics or {},
        }
    ).model_dump(mode="json")
    text = json.dumps(line, separators=(",", ":"))
    events.write(text + "\n")
    events.flush()
    print(text, flush=True)
