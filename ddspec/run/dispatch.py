"""Running a plan: look everything up, do what is missing, and tell what became of each stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ddspec.disk import FAILED
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Executor, Site
from ddspec.host import this_process
from ddspec.plan.ir import Stage
from ddspec.run.board import Board, board_of
from ddspec.run.events import ObjectDamaged, RunStarted, Sink
from ddspec.run.outcome import Outcome, StageOutcome
from ddspec.store.store import Store

if TYPE_CHECKING:
    from ddspec.run.desk import Desk, Orders

SWEEP_S = 60.0
"""No living run holds a half-made file for so long."""


def site_of(store: Store) -> Site:
    """Return what an executor has to know of a store; the root of datasets is for the caller."""
    layout = store.layout
    return Site(store.id, layout.attempts, layout.scratch, layout.object, cache=layout.cache)


def run_plan(
    stages: Sequence[Stage],
    store: Store,
    executor: Executor[Any],
    *,
    sink: Sink,
    orders: Orders | None = None,
    others: Callable[[str], Executor[Any]] | None = None,
    name: str = "",
) -> Outcome:
    """Bring the outputs of a plan into the store and tell what became of each stage.

    A stage that fails blocks those below it; the others go on. `others` makes the executor of a
    name, for jobs that an earlier run started elsewhere; `name` tells people what this run is of.
    All of the plan is held in the store meanwhile. Raises DdspecError where nothing can go
    on: data that are not locked, a disk that is full or fails, a place that cannot start jobs or
    that stops answering (all exit 6).
    """
    loose = [stage.label for stage in stages if stage.key is None]
    if loose:
        raise DdspecError(
            f"`{loose[0]}` has no key yet: its data are not locked",
            exit=Exit.UNABLE,
            hint="run `ddspec lock` where the data are",
        )
    board = survey(stages, store, sink)
    tidy(store, board)
    if not board.needed():
        return outcome_of(stages, board, store)
    # Loaded only where there is work: a run that finds everything in the store is over by now.
    from ddspec.run.desk import Desk, Orders
    from ddspec.run.loop import Loop
    from ddspec.run.signals import listening

    try:
        me = this_process()
        with listening() as wishes, store.holds.held(me, name, board.stages, time.time()):
            look_again(store, board)
            desk = Desk(store, executor, sink, orders or Orders(), board, others)
            sweep(desk)
            end = Loop(desk, wishes).run()
    except FileNotFoundError as error:
        if store.layout.identity.exists():
            raise
        raise DdspecError(
            f"the store {store.layout.home} was removed while this run worked in it",
            exit=Exit.UNABLE,
        ) from error
    except OSError as error:
        if error.errno not in FAILED:
            raise
        raise DdspecError(
            f"the store {store.layout.home} failed: {(error.strerror or '').lower()}",
            exit=Exit.UNABLE,
            hint="mend the disk and run again: finished stages and checkpoints are kept",
        ) from error
    return outcome_of(stages, board, store, interrupted=end == "stop", detached=end == "detach")


def survey(stages: Sequence[Stage], store: Store, sink: Sink) -> Board:
    """Look every stage up in the store; set damaged outputs aside, so that they are made again."""
    board = board_of(stages)
    for key, stage in board.stages.items():
        if not store.layout.object(key).exists():
            continue
        problem = store.objects.problem(key)
        if problem is None:
            board.present.add(key)
        else:
            store.objects.set_aside(key)
            board.vanished(key)
            sink(ObjectDamaged(stage.label, key, problem))
    needed = board.needed()
    sink(
        RunStarted(
            tuple(stage.label for key, stage in board.stages.items() if key in needed),
            in_store=len(board.present),
            not_needed=len(board.stages) - len(board.present) - len(needed),
        )
    )
    return board


def look_again(store: Store, board: Board) -> None:
    """Note what was removed between the survey and the moment from which it is held."""
    for key in tuple(board.present):
        if not store.layout.object(key).exists():
            board.removed(key)


def tidy(store: Store, board: Board) -> None:
    """Remove what a run left behind that died between publishing and dropping its claim."""
    store.claims.sweep(time.time() - SWEEP_S)
    for key in store.claims.keys() & board.present:
        claim = store.claims.read(key)
        if claim is None or claim.owner.alive() or not claim.owner.here():
            continue
        with store.claims.lock(key):
            store.archive_scratch(key)
            store.claims.drop(key, claim.attempt)


def sweep(desk: Desk) -> None:
    """Remove jobs that runs left which died between making and starting them."""
    desk.executor.sweep(lambda: {claim.attempt for claim in desk.store.claims.all()})


def outcome_of(
    stages: Sequence[Stage],
    board: Board,
    store: Store,
    *,
    interrupted: bool = False,
    detached: bool = False,
) -> Outcome:
    """Return what became of each stage, with the figures of those that are in the store."""
    return Outcome(
        tuple(_stage_outcome(stage, board, store) for stage in stages), interrupted, detached
    )


def _stage_outcome(stage: Stage, board: Board, store: Store) -> StageOutcome:
    key = stage.key or ""
    state = board.state(key)
    result = store.result(key) if key in board.present else None
    blocker = board.blocker(key) if state == "blocked" else None
    return StageOutcome(
        label=stage.label,
        key=key,
        kind=stage.work.kind,
        state=state,
        seconds=result.seconds if result else None,
        metrics=result.metrics if result else {},
        reason=board.failed.get(key, "") if blocker is None else board.stages[blocker].label,
    )
