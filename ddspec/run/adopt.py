"""Meeting claims of others: wait for the living, adopt from the dead, take from the unreachable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ddspec.executors.base import Handle, JobState, Phase
from ddspec.plan.ir import Stage
from ddspec.run.again import submit_again
from ddspec.run.desk import Desk, Tracked
from ddspec.run.events import StageAdopted, StageWaiting


def meet(desk: Desk, stage: Stage) -> None:
    """Watch whoever claims a stage; do nothing if the claim is gone by now."""
    claim = desk.store.claims.read(stage.key or "")
    if claim is not None:
        desk.track(stage, claim)


def identify(desk: Desk, job: Tracked) -> None:
    """Find the handle of a job whose claim has none yet; forget the job if it never started.

    The owner writes the handle down after submitting. Where the owner is dead, or it is us and our
    submission was not answered, the executor knows whether the job started, and otherwise makes
    sure that it never will. Raises Unreachable where it does not answer.
    """
    key = next(iter(job.stages))
    claim = desk.store.claims.read(key)
    if claim is None or claim.attempt != job.attempt:
        desk.release(job, job.stages)
    elif claim.handle is not None:
        job.handle = claim.handle
    elif claim.owner != desk.me and claim.owner.alive():
        wait(desk, job)
    elif (place := desk.place(claim.executor)) is None or not claim.owner.here():
        unreachable(desk, job, f"{claim.executor} on {claim.owner.host}")
    else:
        job.handle = place.settle(job.attempt)
        if job.handle is None:
            keys = tuple(job.stages)
            drop(desk, job)
            if claim.owner == desk.me:
                submit_again(desk, keys)


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


def poll(desk: Desk, jobs: Iterable[Tracked] | None = None) -> Mapping[Handle, JobState]:
    """Return the states of jobs, all by default, which only the executor of each can tell."""
    handles: dict[str, list[Handle]] = {}
    for job in desk.jobs.values() if jobs is None else jobs:
        if job.handle is not None:
            handles.setdefault(job.executor, []).append(job.handle)
    states: dict[Handle, JobState] = {}
    for name, named in handles.items():
        place = desk.place(name)
        nobody = JobState(Phase.UNREACHABLE, reason=f"executor `{name}`")
        states |= dict.fromkeys(named, nobody) if place is None else place.poll(named)
    return states


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
