"""Meeting claims of others: wait for the living, adopt from the dead, take from the unreachable."""

from __future__ import annotations

from ddspec.executors.base import JobState, Phase
from ddspec.plan.ir import Stage
from ddspec.run.desk import Desk, Tracked
from ddspec.run.events import StageAdopted, StageWaiting


def meet(desk: Desk, stage: Stage) -> None:
    """Watch whoever claims a stage; do nothing if the claim is gone by now."""
    claim = desk.store.claims.read(stage.key or "")
    if claim is not None:
        desk.track(stage, claim)


def identify(desk: Desk, job: Tracked) -> None:
    """Find the handle of a job whose claim has none yet; forget the job if it never started.

    The owner writes the handle down after submitting. Where the owner is dead, the executor knows
    whether the job started, and otherwise makes sure that it never will.
    """
    key = next(iter(job.stages))
    claim = desk.store.claims.read(key)
    if claim is None or claim.attempt != job.attempt:
        desk.release(job, job.stages)
    elif claim.handle is not None:
        job.handle = claim.handle
    elif claim.executor != desk.executor.name or not claim.owner.here():
        unreachable(desk, job, f"{claim.executor} on {claim.owner.host}")
    elif claim.owner.alive():
        wait(desk, job)
    else:
        job.handle = desk.executor.settle(job.attempt)
        if job.handle is None:
            drop(desk, job)


def inherit(desk: Desk, job: Tracked) -> None:
    """Look after a running job whose owner has died; otherwise wait for it."""
    job.seen = True
    if job.owner == desk.me:
        return
    if job.owner.alive() or not job.owner.here():
        wait(desk, job)
        return
    for key, stage in job.stages.items():
        with desk.store.claims.lock(key):
            claim = desk.store.claims.read(key)
            if claim is None or claim.attempt != job.attempt:
                continue
            if claim.owner not in (job.owner, desk.me):
                job.owner = claim.owner  # another run was faster
                return
            desk.store.claims.change(claim, handle=job.handle, owner=desk.me)
        desk.sink(StageAdopted(stage.label, key, job.attempt))
    job.owner = desk.me


def state_of(desk: Desk, job: Tracked, polled: JobState | None) -> JobState:
    """Return the state of a job, which only its own executor can tell."""
    if polled is not None:
        return polled
    return JobState(Phase.UNREACHABLE, reason=f"executor `{job.executor}`")


def wait(desk: Desk, job: Tracked) -> None:
    """Tell once that this run waits for another one."""
    owner = f"another run on {job.owner.host}, process {job.owner.pid}"
    _announce(desk, job, owner, reachable=True)


def unreachable(desk: Desk, job: Tracked, reason: str) -> None:
    """Tell once that nobody can say whether the job lives; take its stages if told to steal."""
    if desk.orders.steal:
        drop(desk, job)
    else:
        _announce(desk, job, reason, reachable=False)


def drop(desk: Desk, job: Tracked) -> None:
    """Remove the claims of a job that is no more, and forget it."""
    for key in job.stages:
        with desk.store.claims.lock(key):
            desk.store.claims.drop(key, job.attempt)
    desk.release(job, job.stages)


def _announce(desk: Desk, job: Tracked, owner: str, *, reachable: bool) -> None:
    if not job.announced:
        job.announced = True
        for key, stage in job.stages.items():
            desk.sink(StageWaiting(stage.label, key, owner, reachable))
