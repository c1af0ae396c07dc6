"""Collecting a job that is gone: publish what is finished, judge what is not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec.disk import disk_full, free_bytes
from ddspec.executors.base import JobState, Phase
from ddspec.plan.ir import Stage
from ddspec.run.again import start_again
from ddspec.run.desk import Desk, Tracked
from ddspec.run.events import StageFailed, StageInterrupted
from ddspec.run.launch import appear
from ddspec.run.outputs import odd_file, read_result
from ddspec.run.words import words_of
from ddspec.store.journal import Entry
from ddspec.store.store import StoredResult
from ddspec.wire.job import JobExit

TEMPORARY = frozenset({JobExit.TRY_AGAIN, JobExit.DEVICE_LOST})
TAIL_BYTES = 4000
TAIL_LINES = 20
LEAST_FREE = 1 << 16
"""Bytes; a job that vanished on a fuller disk than this died of it, and would again."""


def collect(desk: Desk, job: Tracked, state: JobState) -> None:
    """Settle every stage of a job that is over; those whose lock is held wait for the next look.

    What is left of the job is taken down first, for a container that lives writes into what was
    published; Unreachable where its place does not answer, and then nothing was done.

    Another run may watch the same job: the first to hold a key's lock publishes, the second finds
    the output in the store and takes it.
    """
    if job.handle is not None and (place := desk.place(job.executor)) is not None:
        job.place = place.retire(job.handle)
    unfinished = {
        key: problem
        for key, stage in job.stages.items()
        if (problem := _problem(desk, job, stage, key, state)) is not None
    }
    guilty = {key for key in unfinished if key in job.begun} or set(unfinished)
    if not job.seen and not job.owner.alive():
        guilty = set()  # it ended under an earlier run; what it died of may be mended by now
    for key, stage in tuple(job.stages.items()):
        with desk.store.claims.lock(key, 0) as held:
            if not held:
                continue
            if key not in unfinished or desk.store.objects.has(key):
                _finish(desk, job, stage, key, state)
            else:
                _part(desk, job, stage, key, state)
        desk.release(job, [key])
        if not desk.store.objects.has(key):
            _judge(desk, job, stage, key, state, unfinished.get(key, ""), guilty=key in guilty)


def _problem(desk: Desk, job: Tracked, stage: Stage, key: Digest, state: JobState) -> str | None:
    """Return why the output of a stage cannot be published; None if it can.

    The key's lock is not held here, so another run may publish the output under our eyes; whoever
    holds the lock looks into the store first.
    """
    if not state.intact:
        return state.reason
    output = desk.store.layout.output(job.attempt, key)
    try:
        result = read_result(output)
    except OSError:
        return "there is no result.json"
    except ValueError as error:
        return f"result.json is not valid: {str(error).splitlines()[0]}"
    told = (result.key, result.kind, result.revision)
    asked = (key, stage.work.kind, stage.work.revision)
    if told != asked:
        return f"result.json speaks of {told[1]} revision {told[2]}, key {told[0][:16]}"
    return odd_file(output)


def _finish(desk: Desk, job: Tracked, stage: Stage, key: Digest, state: JobState) -> None:
    """Publish an output; what is there already is taken. The claim goes last."""
    output = desk.store.layout.output(job.attempt, key)
    if output.is_dir():
        desk.store.objects.publish(output, key)
        _record(desk, job, stage, key, state, "published")
    if desk.store.objects.has(key):
        desk.store.archive_scratch(key)
        appear(desk, stage)
    desk.store.claims.drop(key, job.attempt)


def _part(desk: Desk, job: Tracked, stage: Stage, key: Digest, state: JobState) -> None:
    """Record an attempt that came to nothing and free its key, if nobody did so before."""
    # a job that wanted to write much leaves room behind that would not do for the next try
    full = job.seen and state.exit == JobExit.DISK_FULL
    full = full or free_bytes(desk.store.layout.home) < LEAST_FREE
    claim = desk.store.claims.read(key)
    if claim is not None and claim.attempt == job.attempt:
        again = "interrupted" if job.cancelled else "again" if _may_pass(state) else "failed"
        if not full:
            _record(desk, job, stage, key, state, again)
        shutil.rmtree(desk.store.layout.output(job.attempt, key), ignore_errors=True)
        desk.store.claims.drop(key, job.attempt)
    if full:
        raise disk_full(desk.store.layout.home)


def _judge(
    desk: Desk,
    job: Tracked,
    stage: Stage,
    key: Digest,
    state: JobState,
    problem: str,
    *,
    guilty: bool,
) -> None:
    """Decide what becomes of a stage without output.

    Stages that the runner never came to are simply ready again; the one it died in is to blame.
    """
    board = desk.board
    if job.cancelled:
        board.stopped.add(key)
        if key in job.begun:
            desk.sink(StageInterrupted(stage.label, key))
    elif not guilty:
        return
    elif not (_may_pass(state) and start_again(desk, key, state.reason)):
        board.failing(key, _reason(desk, job, stage, state, problem))
        desk.sink(StageFailed(stage.label, key, board.failed[key]))


def _may_pass(state: JobState) -> bool:
    return state.phase in (Phase.PREEMPTED, Phase.LOST) or state.exit in TEMPORARY


def _reason(desk: Desk, job: Tracked, stage: Stage, state: JobState, problem: str) -> str:
    head = problem if state.phase is Phase.DONE else state.reason
    place = desk.place(job.executor)
    if job.handle is None or place is None:
        return head
    lines = place.logs(job.handle, -TAIL_BYTES).text.splitlines()
    labels = {one.label for one in desk.board.stages.values()}
    return "\n".join([head, *words_of(stage.label, lines, labels)[-TAIL_LINES:]])


def _counted(desk: Desk, key: Digest, result: StoredResult | None) -> Mapping[str, JsonValue]:
    """Return what is remembered of a finished stage, so that others can be forecast."""
    counts = desk.orders.counted.get(key)
    if counts is None or result is None or result.seconds is None:
        return {}
    return {**counts, "seconds": result.seconds}


def _record(
    desk: Desk, job: Tracked, stage: Stage, key: Digest, state: JobState, outcome: str
) -> None:
    result, claim = desk.store.result(key), desk.store.claims.read(key)
    ours = claim if claim is not None and claim.attempt == job.attempt else None
    desk.store.journal.record(
        Entry(
            key=key,
            label=stage.label,
            kind=stage.work.kind,
            attempt=job.attempt,
            executor=job.executor,
            host=job.owner.host,
            started=job.started,
            ended=time.time(),
            exit=state.exit,
            outcome=outcome,
            reason=state.reason,
            engine=result.engine if result else {},
            place=job.place,
            counted=_counted(desk, key, result) if outcome == "published" else {},
            events_from=None if ours is None else ours.events_from,
        )
    )
