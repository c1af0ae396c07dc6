"""`ddspec export`: a distilled set as files that others read, evaluated as what they are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Computing, Data, Device, Document, Home, Variants
from ddspec.cli.place import Asked, Gpus, Image, Memory, Place, Shm, Together, Where
from ddspec.cli.policy import PolicyFile, enforce, ground_of, verdicts_on
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.canon import Json
    from ddspec.cli.inputs import Opened
    from ddspec.plan.ir import Plan
    from ddspec.run.exporting import Export
    from ddspec.run.rounding import Rounding
    from ddspec.store.store import Store


class Form(StrEnum):
    """What a set is exported as."""

    PNG = "png"
    NPZ = "npz"
    PARQUET = "parquet"


def export(
    document: Document,
    form: Annotated[
        Form,
        typer.Option(
            "--as", help="Pictures in a folder a class, numpy, or Hugging Face's Parquet."
        ),
    ],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="A folder that is not there yet, or empty.")
    ],
    variant: Variants = None,
    evaluate: Annotated[
        bool,
        typer.Option(
            "--evaluate/--no-evaluate", help="Train the networks that judge on the 8 bits too."
        ),
    ] = True,
    exact: Annotated[
        bool, typer.Option("--exact", help="With npz: also the learned numbers, in their space.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, metavar="N", help="As `run`.")
    ] = None,
    data: Data = None,
    home: Home = None,
    as_json: AsJson = False,
    device: Computing = Device.AUTO,
    executor: Where = Place.LOCAL,
    image: Image = None,
    gpus: Gpus = None,
    memory: Memory = None,
    shm: Shm = None,
    together: Together = False,
    policy: PolicyFile = None,
) -> Exit:
    """Write a distilled set in 8 bits, as pictures, numpy or Parquet, with a card and a README.

    The images are those that networks are trained on, limited to [0, 1] and rounded. What that
    costs in accuracy is measured: by the protocol, the networks and the seeds of the set as it was
    learned. Nothing that exists is overwritten (exit 5), and half an export never appears.
    """
    from ddspec.cli.inputs import existing_store, open_document
    from ddspec.run.analysis import require_libraries
    from ddspec.run.new_folder import require_free
    from ddspec.run.rounding import with_rounding

    if exact and form is not Form.NPZ:
        raise DdspecError(f"`--exact` is of npz, not of {form}", exit=Exit.USAGE)
    require_free(to)
    require_libraries()  # before hours of evaluations, not after them
    opened = open_document(document).only(variant)
    name = _only_variant(opened.plan)
    rounding = with_rounding(opened.plan.of(name), evaluate=evaluate)
    asked = Asked(executor, device, jobs, image, gpus, memory, shm, together)
    with _held(rounding, existing_store(home)) as store:
        _require_set(rounding, opened.plan, store, document, name)
        ended = _carried_out(rounding, opened, document, asked, data, home, policy)
        if store is None or ended is not Exit.DONE:
            return ended
        found = _export_of(rounding, opened.plan, name, form, store)
        told = _write(found, rounding, store, to, exact=exact)
    _tell(found, to, told, as_json=as_json)
    return Exit.DONE


@contextmanager
def _held(rounding: Rounding, store: Store | None) -> Iterator[Store | None]:
    """Keep the outputs that an export reads from being removed; yield the store."""
    if store is None:
        yield None
        return
    from ddspec.host import this_process

    keys = [stage.key for stage in rounding.plan if stage.key is not None]
    name = f"{rounding.plan.name} (export)"
    with store.holds.held(this_process(), name, keys, time.time()):
        yield store


def _only_variant(plan: Plan) -> str:
    """Return the name of the variant; `DdspecError` (usage) where there are several."""
    names = [one.name for one in plan.variants]
    if len(names) > 1:
        shown = ", ".join(f"`{name}`" for name in names[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        raise DdspecError(
            f"`{plan.name}` has {len(names)} variants, and an export is of one set",
            exit=Exit.USAGE,
            hint=f"name one with `--variant`: {shown}{more}",
        )
    return names[0]


def _require_set(
    rounding: Rounding, plan: Plan, store: Store | None, document: Path, variant: str
) -> None:
    """Raise `DdspecError` where there is no learned set to export: exit 6, or 1 if damaged."""
    from ddspec.cli.run import to_run

    key = rounding.learned.key
    if store is not None and key is not None and store.layout.object(key).exists():
        store.objects.fetch(key)
        return
    some = plan.of(variant)
    left = len(to_run(some, store))
    only = f" --variant '{variant}'" if variant else ""
    raise DdspecError(
        f"there is no distilled set of `{some.name}` yet: `{rounding.learned.label}` is not in the "
        f"store, {left} of {len(some.stages)} stages are left to run",
        exit=Exit.UNABLE,
        hint=f"`ddspec run {document}{only}`",
    )


def _carried_out(
    rounding: Rounding,
    opened: Opened,
    document: Path,
    asked: Asked,
    data: Path | None,
    home: Path | None,
    policy: Path | None,
) -> Exit:
    """Run what an export adds and is not in the store; say what failed."""
    from ddspec.cli.output import say
    from ddspec.cli.run import work_through
    from ddspec.console.results_view import failure_block
    from ddspec.plan.abilities import require_parts

    require_parts(rounding.left)
    verdicts = verdicts_on(opened, document, policy, ground_of(asked.executor, asked.image))
    enforce(verdicts, running=True)
    done = work_through(rounding.plan, asked, data, home)
    ended = done.outcome.exit
    if ended is Exit.FAILED:
        say("\n".join(failure_block(done.outcome.stages)))
    if ended is not Exit.DONE and not done.outcome.detached:
        say("nothing was exported; run it again and it goes on where it was")
    return ended


def _export_of(rounding: Rounding, plan: Plan, variant: str, form: Form, store: Store) -> Export:
    from ddspec.cli.report import metrics_of, unpublished_of
    from ddspec.run.exporting import Export, card_in, recorded_in
    from ddspec.run.rounding import paired, with_rounding

    key = rounding.rounded.key or ""
    # an evaluation that was made before is told, also where none was asked for
    whole = with_rounding(plan.of(variant), evaluate=True)
    result = store.result(key)
    return Export(
        kind=form.value,
        plan=plan.of(variant),
        variant=variant,
        card=card_in(store.objects.fetch(key)),
        learned=rounding.learned.key or "",
        labels=rounding.labels,
        accuracy=paired(whole.pairs, metrics_of(whole.plan, store)),
        figures={} if result is None else result.metrics,
        unpublished=unpublished_of(plan, plan.variant(variant)),
        recorded=recorded_in(store, whole.recorded),
    )


def _write(
    found: Export, rounding: Rounding, store: Store, to: Path, *, exact: bool
) -> tuple[int, int]:
    """Write all files, whole or not at all; return how many, and their bytes."""
    from ddspec.cli.output import json_text
    from ddspec.console.export_readme import readme
    from ddspec.run.deliver import CARD
    from ddspec.run.exporting import README, size_of, write_files, write_taught, write_text
    from ddspec.run.new_folder import new_folder

    rounded, learned = (store.layout.object(key) for key in _keys(rounding))
    with new_folder(to) as folder:
        told = write_files(found.kind, rounded, learned, folder, exact=exact)
        sizes = {"download_size": size_of(folder / "data")[1]}
        if found.recorded is not None:
            write_taught(found, rounded, store.layout.object(found.recorded), folder)
        write_text(folder / README, readme(found, told | sizes))
        write_text(folder / CARD, json_text(found.plain()) + "\n")
        return size_of(folder)


def _keys(rounding: Rounding) -> tuple[str, str]:
    return rounding.rounded.key or "", rounding.learned.key or ""


def _tell(found: Export, to: Path, sizes: tuple[int, int], *, as_json: bool) -> None:
    from ddspec.cli.output import show, show_json
    from ddspec.cli.report import headline

    if as_json:
        told: dict[str, Json] = {"to": str(to), "files": sizes[0], "bytes": sizes[1]}
        show_json(found.plain() | told)
        return
    from ddspec.console.export_view import render_export
    from ddspec.visible import visible

    title = headline(found.plan) + (f" · variant {visible(found.variant)}" if found.variant else "")
    show(render_export(title, found, str(to), sizes))
