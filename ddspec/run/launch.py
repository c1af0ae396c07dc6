"""Starting a job: claim its stages, check its inputs, submit."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from ddspec.canon import Digest
from ddspec.engine.source import runners_digest
from ddspec.errors import DdspecError
from ddspec.executors.base import JobOrder, NoRoom, Unreachable
from ddspec.plan.ir import Stage
from ddspec.run.desk import Desk, Orders
from ddspec.run.events import ObjectDamaged, StageDeferred, StageDone, StageSubmitted
from ddspec.store.claims import Claim
from ddspec.store.objects import DamagedObject
from ddspec.wire.job import Job, JobStage

DEFER_S = 2.0
"""After which a job that found no room is tried again."""


def launch(desk: Desk, gang: Sequence[Stage]) -> None:
    """Start one job for those stages of the gang that nobody else has claimed or made.

    Does nothing when an input turns out to be damaged: the board then asks for it again.
    """
    if not _inputs_are_sound(desk, gang):
        return
    attempt = f"{_key(gang[0])[:16]}-{secrets.token_hex(4)}"
    held: list[tuple[Stage, Claim]] = []
    try:
        for stage in gang:
            claim = _take(desk, stage, attempt)
            if claim is not None:
                held.append((stage, claim))
        if not held:
            return
        job = _job([stage for stage, _ in held], desk.orders)
        handle = desk.executor.submit(desk.executor.prepare(JobOrder(attempt, job)))
    except NoRoom as taken:
        _give_up(desk, [claim for _, claim in held])
        _defer(desk, [stage for stage, _ in held], str(taken))
        return
    except Unreachable as silent:  # it may have started: `identify` asks once there is an answer
        desk.silence.note(str(silent))
        for stage, claim in held:
            desk.track(stage, claim)
        return
    except BaseException:
        if _never_starts(desk, attempt):
            _give_up(desk, [claim for _, claim in held])
        raise
    for stage, claim in held:
        with desk.store.claims.lock(claim.key):
            known = desk.store.claims.change(claim, handle=handle)
        tracked = desk.track(stage, known or claim)
        tracked.handle, tracked.seen = handle, True
        desk.deferred.discard(claim.key)
        desk.unheard.pop(claim.key, None)
        desk.sink(StageSubmitted(stage.label, claim.key, attempt))


def _inputs_are_sound(desk: Desk, gang: Sequence[Stage]) -> bool:
    """Rehash what the gang reads, where this host has not done so; damaged ones are made again."""
    sound = True
    for key in sorted({key for stage in gang for key in stage.inputs.values()}):
        try:
            desk.store.objects.fetch(key)
        except DamagedObject as error:
            label = desk.board.stages[key].label
            desk.sink(ObjectDamaged(label, key, error.problem))
            desk.board.vanished(key)
            sound = False
        except KeyError:  # removed under our hands, by a person or by another run
            desk.board.vanished(key)
            sound = False
    return sound


def _take(desk: Desk, stage: Stage, attempt: str) -> Claim | None:
    """Claim a stage; None where somebody else holds it, or made it in the meantime."""
    key = _key(stage)
    claim = Claim(
        key=key,
        label=stage.label,
        attempt=attempt,
        executor=desk.executor.name,
        handle=None,
        owner=desk.me,
        events_from=desk.events_end(key),
        taken=time.time(),
    )
    if not desk.store.claims.take(claim):
        return None
    # Another run may have published between our look at the store and our claim.
    if desk.store.objects.has(key):
        _give_up(desk, [claim])
        appear(desk, stage)
        return None
    return claim


def appear(desk: Desk, stage: Stage) -> None:
    """Note, and tell, that the output of a stage is in the store now."""
    key = _key(stage)
    result = desk.store.result(key)
    seconds = result.seconds if result else None
    desk.board.appeared(key)
    desk.sink(StageDone(stage.label, key, seconds or 0.0, result.metrics if result else {}))


def _never_starts(desk: Desk, attempt: str) -> bool:
    """Return whether an attempt whose submission failed has not started and never will.

    A started one keeps its claims: the next run adopts it.
    """
    try:
        return desk.executor.settle(attempt) is None
    except Unreachable:
        return False
    except DdspecError:  # the disk is too full to sign the attempt, for its supervisor as for us
        return True


def _defer(desk: Desk, stages: Sequence[Stage], reason: str) -> None:
    """Let stages wait for what other jobs hold; say so once."""
    for stage in stages:
        key = _key(stage)
        desk.board.not_before[key] = time.monotonic() + DEFER_S
        if key not in desk.deferred:
            desk.deferred.add(key)
            desk.sink(StageDeferred(stage.label, key, reason))


def _give_up(desk: Desk, claims: Sequence[Claim]) -> None:
    for claim in claims:
        with desk.store.claims.lock(claim.key):
            desk.store.claims.drop(claim.key, claim.attempt)


def _job(stages: Sequence[Stage], orders: Orders) -> Job:
    parts = tuple(
        JobStage(
            key=_key(stage),
            label=stage.label,
            work=stage.work,
            inputs=stage.inputs,
            location=stage.location,
        )
        for stage in stages
    )
    return Job(
        stages=parts,
        threads=stages[0].threads,
        device=orders.device,
        source=runners_digest(),
        engine=orders.engine,
    )


def _key(stage: Stage) -> Digest:
    return stage.key or ""
