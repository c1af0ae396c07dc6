"""From job.json to result.json: the one entry point of containers and local processes."""

from __future__ import annotations

import argparse
import errno
import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

import torch
from pydantic import JsonValue, ValidationError

from ddspec.errors import DdspecError
from ddspec.wire.job import Engine, Event, Job, JobExit, JobStage, Result
from ddspec_runners import runtime
from ddspec_runners.abilities import require_parts
from ddspec_runners.artifacts import write_text
from ddspec_runners.faults import BadData, BadJob, Diverged
from ddspec_runners.site import CHECKPOINT, Inputs, Site, StopRequested
from ddspec_runners.tasks.table import TASKS, TOGETHER

FATAL = frozenset({JobExit.DEVICE_LOST, JobExit.DISK_FULL, JobExit.TRY_AGAIN, JobExit.TERMINATED})
"""Codes after which the other stages of a job are not tried."""
TEAM = 16
"""Stages that are realised together at most; a stack of networks grows with each."""


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
    codes: list[JobExit] = []
    for team in teams(job.stages, job.engine):
        codes += _attempted(team, Setting(job, folders, device, stop))
        if codes[-1] in FATAL:
            break
    return next((code for code in codes if code), JobExit.DONE)


@dataclass(frozen=True, slots=True)
class Setting:
    """What all stages of a job have in common."""

    job: Job
    folders: Folders
    device: torch.device
    stop: Stop


def teams(stages: Sequence[JobStage], engine: Engine | None) -> tuple[tuple[JobStage, ...], ...]:
    """Return which stages are realised at once, in their order.

    As an ensemble at most `TEAM` each; otherwise every stage by itself.
    """
    found: dict[str, list[JobStage]] = {}
    for stage in stages:
        able = TOGETHER.get(stage.work.kind) if engine == "ensemble" else None
        mates = able.mates(stage.work, stage.inputs) if able else None
        found.setdefault(mates or stage.key, []).append(stage)
    return tuple(
        tuple(team[start : start + TEAM])
        for team in found.values()
        for start in range(0, len(team), TEAM)
    )


def _attempted(team: Sequence[JobStage], setting: Setting) -> list[JobExit]:
    """Realise the stages of a team; where they fail together, each is tried by itself."""
    code = _guarded(team, setting)
    if len(team) == 1 or code == JobExit.DONE or code in FATAL:
        return [code]
    _say(team, "not as an ensemble: each is tried by itself", code)
    codes: list[JobExit] = []
    for stage in team:
        codes.append(_guarded([stage], setting))
        if codes[-1] in FATAL:
            break
    return codes


def _guarded(team: Sequence[JobStage], setting: Setting) -> JobExit:
    """Realise stages and translate what goes wrong into an exit code and a line for people."""
    try:
        _realise(team, setting)
    except StopRequested:
        return JobExit.TERMINATED
    except (BadJob, DdspecError) as error:
        return _say(team, f"bad job: {error}", JobExit.BAD_JOB)
    except BadData as error:
        return _say(team, f"bad data: {error}", JobExit.BAD_DATA)
    except Diverged as error:
        return _say(team, str(error), JobExit.FAULT)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _say(team, f"no space left: {error}", JobExit.DISK_FULL)
        traceback.print_exc()
        return _say(team, f"{type(error).__name__}: {error}", JobExit.FAULT)
    except torch.OutOfMemoryError as error:
        return _say(team, f"out of device memory: {error}", JobExit.FAULT)
    except torch.AcceleratorError as error:
        return _say(team, f"device lost: {error}", JobExit.DEVICE_LOST)
    except Exception as error:  # the boundary: a fault of one stage must not take the others along
        traceback.print_exc()
        return _say(team, f"{type(error).__name__}: {error}", JobExit.FAULT)
    return JobExit.DONE


def _say(team: Sequence[JobStage], text: str, code: JobExit) -> JobExit:
    labels = ", ".join(stage.label for stage in team)
    print(f"{labels}: {text}", file=sys.stderr, flush=True)
    return code


def _realise(team: Sequence[JobStage], setting: Setting) -> None:
    """Do what of a team is not done yet, and write each result."""
    waiting = [stage for stage in team if not _result(stage, setting).exists()]
    if not waiting:
        return
    for stage in waiting:
        require_parts(stage.work)
    with ExitStack() as records:
        desks = [records.enter_context(_desk(stage, setting, len(team) > 1)) for stage in waiting]
        for desk in desks:
            desk.tell("started")
        try:
            metrics = _computed(desks)
        except StopRequested:
            for desk in desks:
                desk.tell("stopped")
            raise
        for desk, own in zip(desks, metrics, strict=True):
            _finish(desk, own, setting, len(desks))


@dataclass(frozen=True, slots=True)
class Desk:
    """A stage that is being realised: where, and whom it tells."""

    stage: JobStage
    site: Site
    tell: Callable[..., None]


@contextmanager
def _desk(stage: JobStage, setting: Setting, together: bool) -> Iterator[Desk]:
    folders, job = setting.folders, setting.job
    output = folders.root / "output" / stage.key
    scratch = folders.scratch / stage.key
    output.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    with (scratch / "events.jsonl").open("a", encoding="utf-8") as events:
        site = Site(
            key=stage.key,
            inputs=Inputs(
                (name, folders.root / "inputs" / key) for name, key in stage.inputs.items()
            ),
            output=output,
            scratch=scratch,
            data=folders.data,
            location=stage.location,
            device=setting.device,
            threads=job.threads,
            together=together,
            stopping=setting.stop,
        )
        tell = partial(_tell, events, stage, site)
        site.emit = partial(tell, "progress")
        yield Desk(stage, site, tell)


def _computed(desks: Sequence[Desk]) -> Sequence[Mapping[str, JsonValue]]:
    """Do the work of one stage, or of several together."""
    first = desks[0]
    work = first.stage.work
    with runtime.precise(getattr(work, "precision", "float32")):
        if not first.site.together:
            return [TASKS[work.kind](work, first.site)]
        works, sites = [desk.stage.work for desk in desks], [desk.site for desk in desks]
        return TOGETHER[work.kind].run(works, sites)


def _finish(desk: Desk, metrics: Mapping[str, JsonValue], setting: Setting, members: int) -> None:
    """Write the result of a stage; what an ensemble took is divided among its members."""
    stage, job = desk.stage, setting.job
    engine = runtime.engine(setting.device, job.threads, job.image, job.source)
    result = Result(
        key=stage.key,
        label=stage.label,
        kind=stage.work.kind,
        revision=stage.work.revision,
        metrics=metrics,
        engine={**engine, "ensemble": members} if desk.site.together else engine,
        seconds=round(desk.site.seconds / members, 3),
    )
    write_text(_result(stage, setting), result.model_dump_json(indent=2) + "\n")
    (desk.site.scratch / CHECKPOINT).unlink(missing_ok=True)
    desk.tell("done")


def _result(stage: JobStage, setting: Setting) -> Path:
    return setting.folders.root / "output" / stage.key / "result.json"


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
