"""`ddspec init`: write a first spec, for a published dataset or for a folder of one's own."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import Data
from ddspec.cli.schema import SCHEMA_FILE, Kind, schema_of, write_schema
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.plan.ir import Plan
    from ddspec.spec.survey import Survey

PRESET = "acc_dd"
SPECS = Path("specs")


def init(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER|DATASET", help="Class folders, or a published dataset.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="By default specs/NAME.yaml."),
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="The method to start from.")
    ] = PRESET,
    ipc: Annotated[
        int | None, typer.Option("--ipc", metavar="N", min=1, help="Images a class to distil to.")
    ] = None,
    data: Data = None,
) -> Exit:
    """Write a commented spec to start from.

    Looks at a folder (classes, counts, sizes), suggests what fits, and never replaces a file.
    """
    from ddspec.cli.output import say, show
    from ddspec.console.survey_view import chosen_lines, found_lines, render_found
    from ddspec.spec.facts import FACTS
    from ddspec.spec.starter import starter_text
    from ddspec.spec.suggest import for_dataset, for_folder
    from ddspec.spec.survey import survey

    found = None if source in FACTS else survey(_folder(source))
    place = None if found is None else _data_of(found.root.resolve(), data)
    if found is None or place is None:
        starter = for_dataset(source, preset, ipc)
    else:
        starter = for_folder(found, place, preset, ipc, found_lines(found))
    target = _target(output, starter.name)
    steps = _steps(target, place, source)
    starter = replace(starter, head=(*starter.head, "", *(f"  {step}" for step in steps)))
    text = starter_text(starter, SCHEMA_FILE)
    plan = _compiled(text, target, found)
    _write(target, text)
    if found is not None:
        show(render_found(found))
    show(chosen_lines(plan.experiment, plan.data.size))
    show(_times(plan))
    say(f"wrote {target}")
    show("\n".join(["next", *(f"  {step}" for step in steps)]))
    return Exit.DONE


def _folder(source: str) -> Path:
    """Return the folder that is meant; say which datasets there are where there is none."""
    from ddspec.spec.facts import FACTS

    path = Path(source)
    if path.is_dir():
        return path
    close = get_close_matches(source, FACTS, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"datasets are {', '.join(FACTS)}"
    raise DdspecError(f"`{source}` is neither a folder nor a dataset", exit=Exit.USAGE, hint=hint)


def _data_of(root: Path, data: Path | None) -> Path:
    """Return the data directory: that which is named if the folder lies in it, else its parent."""
    if data is not None and root.is_relative_to(data.resolve()) and root != data.resolve():
        return data.resolve()
    return root.parent


def _target(output: Path | None, name: str) -> Path:
    """Return where to write: into `specs/`, for reviews and hooks look there."""
    target = output or SPECS / f"{name}.yaml"
    if target.exists() or target.is_symlink():
        raise DdspecError(
            f"`{target}` exists, and is never replaced",
            exit=Exit.USAGE,
            hint="name another file with `-o FILE`",
        )
    made = target.parent == SPECS and not SPECS.exists()
    if not made and not target.parent.is_dir():
        raise DdspecError(f"`{target.parent}` is not a folder", exit=Exit.UNABLE)
    return target


def _steps(target: Path, place: Path | None, source: str) -> tuple[str, ...]:
    """Return the commands that follow, in their order."""
    from ddspec.spec.facts import FACTS

    spec = shlex.quote(str(target))
    data = shlex.quote(os.path.relpath(place)) if place is not None else "DIR"
    run = f"ddspec run {spec}"
    steps = [f"ddspec plan {spec}"]
    if place is not None or FACTS[source].content is None:
        steps.insert(0, f"ddspec lock {spec} --data {data}")
        run += f" --data {data}"
    elif FACTS[source].files:
        steps.append(f"ddspec data fetch {source} --data {data}")
        run += f" --data {data}"
    return (*steps, run)


def _compiled(text: str, target: Path, found: Survey | None) -> Plan:
    """Compile what is about to be written, with the images that were found standing for a lock."""
    from ddspec.cli.output import say
    from ddspec.plan.compile import compile_plan
    from ddspec.spec.load import load_text
    from ddspec.spec.suggest import stand_in

    lock = None if found is None else stand_in(found)
    try:
        loaded = load_text(text, str(target), lock=lock)
        return compile_plan(loaded.experiment, lock, loaded.place)
    except DdspecError:
        say(f"{target} is not written, for it would not be valid")
        raise


def _times(plan: Plan) -> str:
    """Return how long all of it takes, so that nobody starts a month of work unknowingly."""
    from ddspec.console.durations import time_span
    from ddspec.plan.devices import device
    from ddspec.plan.forecast import forecast

    gpu, core = (time_span(forecast(plan, device(name)).total()) for name in ("a6000", "cpu"))
    return f"by formula {gpu} on an a6000, {core} on one CPU core"


def _write(target: Path, text: str) -> None:
    if target.parent == SPECS:
        SPECS.mkdir(exist_ok=True)
    with target.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    beside = target.with_name(SCHEMA_FILE)
    if not beside.exists():
        write_schema(beside, schema_of(Kind.SPEC))
