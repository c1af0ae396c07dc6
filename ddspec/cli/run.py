"""`ddspec run`: do what a plan says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Data, Device, Document, Home
from ddspec.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.canon import Json
    from ddspec.plan.ir import Plan, Stage
    from ddspec.run.desk import Orders
    from ddspec.run.outcome import Outcome
    from ddspec.store.store import Store


def run(
    document: Document,
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
    device: Annotated[
        Device, typer.Option("--device", help="Where stages compute; auto takes a GPU if seen.")
    ] = Device.AUTO,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, and start nothing.")
    ] = False,
) -> Exit:
    """Run what is not in the store yet.

    Stopped or killed, it goes on where it was when it is run again. Progress goes to stderr, the
    table at the end to stdout.
    """
    from ddspec.cli.inputs import existing_store, home_of, open_document
    from ddspec.cli.output import say, show, show_json
    from ddspec.cli.report import report_of_run
    from ddspec.store.store import open_store

    if dry_run:
        return _rehearse(open_document(document).plan, existing_store(home), as_json=as_json)
    plan = _locked(document, data)
    store = open_store(home_of(home))
    orders = _orders(plan, jobs=jobs, steal=steal, device=device)
    outcome = _run(plan, store, orders, data)
    report = report_of_run(plan, outcome, store)
    if outcome.detached:
        return outcome.exit  # the terminal is gone
    if as_json:
        show_json(report.plain("ddspec.run/1") | {"exit": int(outcome.exit)})
    else:
        show(report.text())
    if outcome.interrupted:
        say("stopped; run it again and it goes on where it was")
    return outcome.exit


def _locked(document: Path, data: Path | None) -> Plan:
    """Return the plan with its data identified; locks a folder that has no lock yet."""
    from ddspec.cli.inputs import compile_spec, open_document
    from ddspec.cli.lock import lock_spec
    from ddspec.cli.output import say

    plan = open_document(document).plan
    if plan.locked:
        return plan
    say(lock_spec(document, data))
    return compile_spec(document).plan


def _run(plan: Plan, store: Store, orders: Orders, data: Path | None) -> Outcome:
    from dataclasses import replace

    from ddspec.cli.output import say
    from ddspec.cli.report import headline
    from ddspec.cli.surroundings import with_images
    from ddspec.console.run_view import watch_run
    from ddspec.executors.registry import make_executor
    from ddspec.run.dispatch import run_plan, site_of

    site = replace(site_of(store), data=None if data is None else data.absolute())
    jobs = "1 job" if orders.jobs == 1 else f"{orders.jobs} jobs"
    say(headline(plan))
    say(f"plan {plan.digest[:12]} · {jobs} at a time on {orders.device} · {store.layout.home}")
    stages = with_images(plan, _missing(plan, store), data).stages
    with watch_run(say) as sink:
        return run_plan(stages, store, make_executor("local", site), sink=sink, orders=orders)


def _orders(plan: Plan, *, jobs: int | None, steal: bool, device: Device) -> Orders:
    from ddspec.cli.surroundings import jobs_at_a_time, place_of
    from ddspec.run.desk import Orders

    place = place_of(device)
    jobs = jobs or jobs_at_a_time(place, plan.experiment.resources.threads)
    return Orders(jobs=jobs, device=place, steal=steal)


def _missing(plan: Plan, store: Store | None) -> Sequence[Stage]:
    """Return the stages that a run would work on, upstream first."""
    from ddspec.run.demand import needed, targets

    stages = {stage.key: stage for stage in plan if stage.key is not None}
    present = {key for key in stages if store is not None and store.objects.has(key)}
    keys = needed(stages, present, targets(plan.stages))
    return [stage for key, stage in stages.items() if key in keys]


def _rehearse(plan: Plan, store: Store | None, *, as_json: bool) -> Exit:
    """Print which stages a run would work on; those of data without a lock have no key yet."""
    from ddspec.cli.output import show, show_json

    stages = _missing(plan, store) if plan.locked else plan.stages
    if as_json:
        rows: list[Json] = [{"label": stage.label, "key": stage.key} for stage in stages]
        show_json({"format": "ddspec.rehearsal/1", "name": plan.name, "stages": rows})
        return Exit.DONE
    rest = len(plan.stages) - len(stages)
    lines = [f"{(stage.key or 'after lock')[:16]}  {stage.label}" for stage in stages]
    show("\n".join([*lines, f"{len(stages)} stages to run, {rest} in store or not needed"]))
    return Exit.DONE
