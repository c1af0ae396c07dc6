"""`ddspec run`: do what a plan says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Computing, Data, Device, Document, Home, Variants
from ddspec.cli.place import Asked, Gpus, Image, Memory, Place, Shm, Together, Where
from ddspec.cli.policy import PolicyFile, enforce, ground_of, verdicts_on
from ddspec.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ddspec.canon import Json
    from ddspec.cli.inputs import Opened
    from ddspec.executors.base import Terms
    from ddspec.plan.ir import Plan, Stage
    from ddspec.run.desk import Orders
    from ddspec.run.outcome import Outcome
    from ddspec.store.store import Store


def run(
    document: Document,
    variant: Variants = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, metavar="N", help="Jobs at a time; default cores / threads."
        ),
    ] = None,
    data: Data = None,
    home: Home = None,
    as_json: AsJson = False,
    steal: Annotated[
        bool, typer.Option("--steal", help="Take over work of runs that cannot be reached.")
    ] = False,
    device: Computing = Device.AUTO,
    executor: Where = Place.LOCAL,
    image: Image = None,
    gpus: Gpus = None,
    memory: Memory = None,
    shm: Shm = None,
    together: Together = False,
    policy: PolicyFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, and start nothing.")
    ] = False,
) -> Exit:
    """Run what is not in the store yet.

    Stopped or killed, it goes on where it was when it is run again. Progress goes to stderr, the
    table at the end to stdout.
    """
    from ddspec.cli.inputs import existing_store, open_document
    from ddspec.cli.output import say, show, show_json
    from ddspec.cli.report import report_of_run, standing

    first = open_document(document)
    if dry_run:
        some = first.only(variant).plan
        return _rehearse(some, to_run(some, existing_store(home)), as_json=as_json)
    asked = Asked(executor, device, jobs, image, gpus, memory, shm, together)
    done = carry_out(first, document, variant, asked, data, home, policy, steal=steal)
    outcome = done.outcome
    report = report_of_run(done.plan, outcome, done.store)
    if outcome.detached:
        return outcome.exit  # the terminal is gone
    if as_json:
        from ddspec.run.evidence import evidence_of

        known = evidence_of(done.plan, done.store, str(document))
        show_json(standing(report.plain("ddspec.run/1"), known) | {"exit": int(outcome.exit)})
    else:
        show(report.text())
    if outcome.interrupted:
        say("stopped; run it again and it goes on where it was")
    return outcome.exit


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did, of which plan, and where its outputs are."""

    plan: Plan
    outcome: Outcome
    store: Store


def carry_out(
    first: Opened,
    document: Path,
    variant: Sequence[str] | None,
    asked: Asked,
    data: Path | None,
    home: Path | None,
    policy: Path | None,
    *,
    steal: bool = False,
) -> Done:
    """Run what is not in the store of a document that was opened, or of some of its variants.

    Raises `DdspecError` where nothing can be started: stages that no runner has, a policy that is
    broken, a place that is not able.
    """
    from ddspec.cli.inputs import existing_store
    from ddspec.cli.standing import remember
    from ddspec.plan.abilities import require_parts

    require_parts(to_run(first.only(variant).plan, existing_store(home)))
    whole = _locked(first, document, data)
    _tell_drift(whole, asked.executor, asked.image)
    ground = ground_of(asked.executor, asked.image)
    enforce(verdicts_on(whole, document, policy, ground), running=True)
    opened = whole.only(variant)

    def begun(store: Store) -> None:
        remember(store, opened.plan, opened.settings(), time.time())

    return work_through(opened.plan, asked, data, home, steal=steal, begun=begun)


def work_through(
    plan: Plan,
    asked: Asked,
    data: Path | None,
    home: Path | None,
    *,
    steal: bool = False,
    begun: Callable[[Store], None] | None = None,
) -> Done:
    """Run what is not in the store of a plan whose data are locked; `begun` is told of the store.

    Raises `DdspecError` where the place is not able.
    """
    from dataclasses import replace

    from ddspec.cli.inputs import existing_store, home_of
    from ddspec.cli.output import say
    from ddspec.cli.place import in_words, settle
    from ddspec.cli.report import headline
    from ddspec.cli.room import tell_tight_stages
    from ddspec.cli.surroundings import with_images
    from ddspec.run.measured_runs import counts_of
    from ddspec.store.store import open_store

    orders, terms = settle(asked, plan, steal=steal)
    orders = replace(orders, counted=counts_of(plan))
    tell_tight_stages(plan, _missing(plan, existing_store(home)), orders, terms)
    store = open_store(home_of(home))
    stages = with_images(plan, lambda: _missing(plan, store), data).stages
    say(headline(plan))
    say(f"plan {plan.digest[:12]} · {in_words(asked, orders, terms)} · {store.layout.home}")
    if begun is not None:
        begun(store)
    outcome = _run(plan.name, stages, store, asked.executor, orders, terms, data)
    return Done(plan, outcome, store)


def _tell_drift(opened: Opened, executor: Place, image: str | None) -> None:
    """Say what is not as the lock says; that changes no key, and ends no run."""
    from ddspec.cli.drift import drift_of
    from ddspec.cli.output import say

    locked = opened.lock.runners if opened.lock is not None else None
    used = None
    if executor is Place.DOCKER and locked is not None and locked.image is not None:
        from ddspec.engine.images import IMAGE

        used = image or IMAGE
    for one in drift_of(opened, used):
        say(f"drift, no change of the plan: {one.part}: {one.message}")


def _locked(opened: Opened, document: Path, data: Path | None) -> Opened:
    """Return the plan with its data identified; locks a folder that has no lock yet."""
    from ddspec.cli.inputs import compile_spec
    from ddspec.cli.lock import lock_spec
    from ddspec.cli.output import say

    if opened.plan.locked:
        return opened
    say(lock_spec(document, data))
    return compile_spec(document)


def _run(
    name: str,
    stages: Sequence[Stage],
    store: Store,
    place: Place,
    orders: Orders,
    terms: Terms,
    data: Path | None,
) -> Outcome:
    from dataclasses import replace

    from ddspec.cli.output import say
    from ddspec.console.run_view import watch_run
    from ddspec.executors.registry import make_executor
    from ddspec.run.dispatch import run_plan, site_of

    site = replace(site_of(store), data=None if data is None else data.absolute())
    with watch_run(say) as sink:
        return run_plan(
            stages,
            store,
            make_executor(place, site, terms),
            sink=sink,
            orders=orders,
            others=lambda other: make_executor(other, site, terms),
            name=name,
        )


def _missing(plan: Plan, store: Store | None) -> Sequence[Stage]:
    """Return the stages that a run would work on, upstream first."""
    from ddspec.run.demand import needed, targets

    stages = {stage.key: stage for stage in plan if stage.key is not None}
    present = {key for key in stages if store is not None and store.objects.has(key)}
    keys = needed(stages, present, targets(plan.stages))
    return [stage for key, stage in stages.items() if key in keys]


def to_run(plan: Plan, store: Store | None) -> Sequence[Stage]:
    """Return the stages that a run would work on; all of them while the data are not locked."""
    return _missing(plan, store) if plan.locked else plan.stages


def _rehearse(plan: Plan, stages: Sequence[Stage], *, as_json: bool) -> Exit:
    """Print which stages a run would work on; those of data without a lock have no key yet."""
    from ddspec.cli.output import show, show_json
    from ddspec.plan.abilities import missing_parts, told

    missing = missing_parts(stages)
    code = Exit.UNABLE if missing else Exit.DONE
    if as_json:
        rows: list[Json] = [{"label": stage.label, "key": stage.key} for stage in stages]
        lacking: list[Json] = [
            {"part": one.part, "why": one.why, "stages": list(one.labels)} for one in missing
        ]
        show_json(
            {
                "format": "ddspec.rehearsal/1",
                "name": plan.name,
                "stages": rows,
                "missing_parts": lacking,
            }
        )
        return code
    rest = len(plan.stages) - len(stages)
    lines = [f"{(stage.key or 'after lock')[:16]}  {stage.label}" for stage in stages]
    lines.append(f"{len(stages)} stages to run, {rest} in store or not needed")
    show("\n".join([*lines, *(f"refused: {problem.message}" for problem in told(missing))]))
    return code
