"""`ddspec run`: do what a plan says."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ddspec.cli.options import AsJson, Data, Device, Document, Home
from ddspec.errors import DdspecError, Exit

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
    from ddspec.console.run_view import watch_run
    from ddspec.executors.registry import make_executor
    from ddspec.run.dispatch import run_plan, site_of

    site = replace(site_of(store), data=None if data is None else data.absolute())
    jobs = "1 job" if orders.jobs == 1 else f"{orders.jobs} jobs"
    say(headline(plan))
    say(f"plan {plan.digest[:12]} · {jobs} at a time on {orders.device} · {store.layout.home}")
    stages = _located(plan, store, data).stages
    with watch_run(say) as sink:
        return run_plan(stages, store, make_executor("local", site), sink=sink, orders=orders)


def _orders(plan: Plan, *, jobs: int | None, steal: bool, device: Device) -> Orders:
    from ddspec.run.desk import Orders

    place = _place(device)
    if jobs is None:
        # one process fills a GPU, a CPU has room for as many as it has cores
        threads = plan.experiment.resources.threads
        jobs = 1 if place == "cuda" else max(1, _cores() // threads)
    return Orders(jobs=jobs, device=place, steal=steal)


def _cores() -> int:
    """Return how many cores this process may use, which a container may have made fewer."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _place(device: Device) -> Literal["cpu", "cuda"]:
    """Return where stages compute; a GPU is seen by its driver, for torch is never loaded here."""
    if device is Device.AUTO:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
        return "cuda" if Path("/dev/nvidiactl").exists() and not hidden else "cpu"
    return "cuda" if device is Device.CUDA else "cpu"


def _missing(plan: Plan, store: Store | None) -> Sequence[Stage]:
    """Return the stages that a run would work on, upstream first."""
    from ddspec.run.demand import needed, targets

    stages = {stage.key: stage for stage in plan if stage.key is not None}
    present = {key for key in stages if store is not None and store.objects.has(key)}
    keys = needed(stages, present, targets(plan.stages))
    return [stage for key, stage in stages.items() if key in keys]


def _located(plan: Plan, store: Store, data: Path | None) -> Plan:
    """Return the plan with the places of its images filled in, where a run has to read them.

    Without a data directory it is refused at once, and not after minutes of other work.
    """
    from ddspec.cli.inputs import with_places
    from ddspec.spec.facts import FACTS
    from ddspec.wire.work import PrepareWork

    known = FACTS.get(plan.data.name)
    if known is not None and known.decoded is not None:
        return plan  # it comes with a library
    if not any(isinstance(stage.work, PrepareWork) for stage in _missing(plan, store)):
        return plan
    if data is None:
        raise DdspecError(
            f"`{plan.data.title}` has to be read, and there is no data directory",
            exit=Exit.UNABLE,
            hint="give `--data DIR` or set DDSPEC_DATA; `ddspec data fetch` brings some datasets",
        )
    return with_places(plan, os.environ)


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
