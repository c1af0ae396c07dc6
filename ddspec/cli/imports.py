"""`ddspec import`: write the spec that judges a set which somebody else distilled."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import Data
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.cli.inputs import Opened
    from ddspec.plan.ir import Plan
    from ddspec.run.inspection import Inspected
    from ddspec.spec.learned import Space


class LayoutName(StrEnum):
    """Whose code wrote the files."""

    DC = "dc"
    MTT = "mtt"
    IDC = "idc"


class SpaceName(StrEnum):
    """What the numbers in the files are."""

    PIXEL = "pixel"
    NORMALISED = "normalised"
    ZCA = "zca"


def import_set(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files of one set, below --data.")
    ],
    layout: Annotated[
        LayoutName, typer.Option("--layout", help="Whose code wrote them (dc: DC, DSA, DM).")
    ],
    spec: Annotated[
        Path, typer.Option("--for", metavar="SPEC", help="The spec that says how it is judged.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The spec to write.")
    ],
    data: Data = None,
    space: Annotated[
        SpaceName | None,
        typer.Option("--space", help="What the values are; of dc and idc it is known."),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option("--variant", metavar="NAME", help="Judge it as this variant of SPEC."),
    ] = None,
    experiment: Annotated[
        int | None,
        typer.Option("--experiment", metavar="N", min=0, help="Of dc: which of the list."),
    ] = None,
    factor: Annotated[
        int | None,
        typer.Option(
            "--factor", metavar="N", min=1, max=8, help="Of idc, and of IDM: patches along a side."
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", metavar="LR", help="Of mtt: learned, from its logs."),
    ] = None,
) -> Exit:
    """Write a spec that takes a set from official files.

    Looks into .pt files of DC/DSA/DM, MTT or IDC without trusting them, says what they hold, and
    writes a spec that judges the set as SPEC does. Runs nothing and never replaces a file.
    """
    from ddspec.cli.import_draft import Asked, draft_of, found_text
    from ddspec.cli.inputs import data_root, open_document
    from ddspec.cli.output import say, show
    from ddspec.cli.schema import SCHEMA_FILE, Kind, schema_of, write_schema
    from ddspec.run.inspection import inspect
    from ddspec.spec.import_text import import_text

    target = _target(output)
    root = Path(os.path.normpath(data_root(data)))
    placed = [_below(root, file) for file in files]
    said: Space | None = None if space is None else space.value
    if said is None and layout is LayoutName.DC:
        said = "normalised"
    elif said is None and layout is LayoutName.IDC:
        said = "pixel"
    opened = open_document(spec)
    base = _judging(opened, variant)
    seen = inspect(layout.value, [root / at for at in placed], experiment or 0, said)
    if said is None:
        raise DdspecError(
            f"files of MTT do not say whether values are normalised or whitened: {_values(seen)}",
            exit=Exit.USAGE,
            hint="`--space pixel`, these can be nothing else"
            if seen.pixels
            else "`--space normalised`, or `--space zca` where it was distilled with --zca",
        )
    asked = Asked(
        layout=layout.value,
        places=tuple(placed),
        space=said,
        stated=space is not None,
        experiment=experiment,
        factor=factor,
        learning_rate=learning_rate,
        extends=os.path.relpath(spec.resolve(), target.parent.resolve()),
        name=_name_of(target),
        steps=_steps(target, root, opened),
    )
    draft = draft_of(asked, base, seen)
    show(found_text(asked, seen))
    text = import_text(draft, SCHEMA_FILE)
    _check(text, target, opened)
    with target.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    beside = target.with_name(SCHEMA_FILE)
    if not beside.exists():
        write_schema(beside, schema_of(Kind.SPEC))
    say(f"wrote {target}")
    show("\n".join(["next", *(f"  {step}" for step in asked.steps)]))
    return Exit.DONE


def _target(output: Path) -> Path:
    if output.exists() or output.is_symlink():
        raise DdspecError(
            f"`{output}` exists, and is never replaced",
            exit=Exit.USAGE,
            hint="name another file with `-o FILE`",
        )
    if not output.parent.is_dir():
        raise DdspecError(f"`{output.parent}` is not a folder", exit=Exit.UNABLE)
    return output


def _below(root: Path, file: Path) -> str:
    """Return where a file lies below the data directory; specs name it so."""
    absolute = Path(os.path.normpath((file if file.exists() else root / file).absolute()))
    if not absolute.exists():
        raise DdspecError(f"there is no file `{file}`", exit=Exit.USAGE)
    inside = absolute.resolve().is_relative_to(root.resolve())
    if not absolute.is_relative_to(root) or not inside:
        raise DdspecError(
            f"`{file}` does not lie in the data directory {root}",
            exit=Exit.REFUSED,
            hint="runs read what lies there, and nothing else: put it there, or give another "
            "`--data DIR`",
        )
    return absolute.relative_to(root).as_posix()


def _judging(opened: Opened, variant: str | None) -> Plan:
    """Return the plan of the experiment that a set is judged like."""
    plan = opened.plan
    if opened.loaded is None:
        raise DdspecError(
            f"`{opened.file}` is a plan, and a spec extends specs",
            exit=Exit.USAGE,
            hint="name the spec that it was made from",
        )
    if plan.experiment.imported is not None:
        raise DdspecError(
            f"`{opened.file}` imports a set itself",
            exit=Exit.USAGE,
            hint="name the spec that it extends: one that says how sets are judged",
        )
    names = [one.name for one in plan.variants]
    if not plan.is_matrix:
        if variant is not None:
            raise DdspecError(f"`{opened.file}` has no `matrix`", exit=Exit.USAGE)
        return plan
    if variant not in names:
        known = ", ".join(names[:6]) + (" …" if len(names) > 6 else "")
        what = "name one variant" if variant is None else f"there is no variant `{variant}`"
        raise DdspecError(f"{what}: `--variant NAME`", exit=Exit.USAGE, hint=f"there are {known}")
    only = plan.variant(variant)
    alone = plan.of(variant)
    return replace(alone, variants=(replace(alone.variants[0], settings=only.settings),))


def _values(seen: Inspected) -> str:
    return f"they lie in [{seen.low:.3g}, {seen.high:.3g}] with deviation {seen.std:.2g}"


def _name_of(target: Path) -> str:
    from ddspec.spec.starter import name_of

    return name_of(target.stem)


def _steps(target: Path, root: Path, opened: Opened) -> tuple[str, ...]:
    spec, data = shlex.quote(str(target)), shlex.quote(os.path.relpath(root))
    lock = () if opened.lock is None else (f"ddspec lock {spec} --data {data}",)
    return (*lock, f"ddspec plan {spec}", f"ddspec run {spec} --data {data}")


def _check(text: str, target: Path, opened: Opened) -> None:
    """Compile what is about to be written, with the lock of the spec that it extends."""
    from ddspec.cli.output import say
    from ddspec.plan.compile import compile_plan
    from ddspec.spec.extends import TreeFiles
    from ddspec.spec.load import load_text

    try:
        files = TreeFiles.around(target)
        loaded = load_text(text, str(target), files=files, lock=opened.lock)
        compile_plan(loaded.experiment, opened.lock, loaded.place)
    except DdspecError:
        say(f"{target} is not written, for it would not be valid")
        raise
