"""`ddspec gallery`: a page of the specs in a folder, and what was measured of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home
from ddspec.errors import DdspecError, Diagnostic, Exit, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.cli.exhibits import Gallery

PAGE = "README.md"


def gallery(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where the specs are.")] = Path(
        "specs"
    ),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the page, to be committed."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Exit 4 unless FILE, by default FOLDER/README.md, is current."
        ),
    ] = False,
    record: Annotated[
        list[Path] | None,
        typer.Option(
            "--record",
            metavar="SPEC",
            help="First write results and picture of a finished spec from the store; repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Print a page of the specs in a folder: what each is, takes and has found.

    What was measured is read from files that are committed with the specs, FOLDER/measured and
    FOLDER/pictures, and never from a store, so the page is the same on every machine. `--record`
    writes those files.
    """
    from ddspec.cli.exhibits import gallery_of
    from ddspec.cli.output import show, show_json

    if check and record:
        raise DdspecError("`--check` writes nothing, and `--record` does", exit=Exit.USAGE)
    if not folder.is_dir():
        raise DdspecError(f"`{folder}` is no folder of specs", exit=Exit.USAGE)
    if record:
        _record(record, folder, home)
        if output is None:
            return Exit.DONE
    found = gallery_of(folder)
    if check:
        return _check(found, output or folder / PAGE)
    if output is not None:
        _write(output, found.page())
    elif as_json:
        show_json(found.plain())
    else:
        show(found.page())
    return Exit.DONE


def _record(specs: Sequence[Path], folder: Path, home: Path | None) -> None:
    from ddspec.cli.gallery_record import record
    from ddspec.cli.output import say

    for spec in specs:
        for path in record(spec, folder, home):
            say(f"wrote {path}")


def _check(found: Gallery, page: Path) -> Exit:
    """Refuse a page that is not what it would be now, and files that belong to no spec."""
    from ddspec.cli.output import say

    problems = [
        Diagnostic("belongs to no spec", Place(str(path)), hint="remove it")
        for path in found.strays
    ]
    if (problem := _stale(found, page)) is not None:
        problems = [problem, *problems]
    if problems:
        raise DdspecError(problems, exit=Exit.CHANGED)
    say(f"{page}: current, {len(found.exhibits)} specs")
    return Exit.DONE


def _stale(found: Gallery, page: Path) -> Diagnostic | None:
    hint = f"`ddspec gallery {found.folder} -o {page}`"
    try:
        text = page.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return Diagnostic("there is no such page yet", Place(str(page)), hint=hint)
    except OSError as error:
        return Diagnostic(f"cannot be read: {error.strerror}", Place(str(page)))
    now = found.page()
    if text == now:
        return None
    lines, then = now.split("\n"), text.split("\n")
    at = next(
        (at for at, (new, old) in enumerate(zip(lines, then, strict=False)) if new != old),
        min(len(lines), len(then)),
    )
    return Diagnostic("the page is not what it would be now", Place(str(page), at + 1), hint=hint)


def _write(output: Path, text: str) -> None:
    """Write the page whole; nothing but an earlier page is replaced."""
    from ddspec.cli.output import say
    from ddspec.console.gallery_page import MARK
    from ddspec.disk import write_whole

    if output.is_symlink() or (output.exists() and not output.is_file()):
        raise DdspecError(f"`{output}` is not a regular file", exit=Exit.USAGE)
    try:
        if output.exists() and not output.read_bytes().startswith(MARK.encode()):
            raise DdspecError(
                f"`{output}` was not made by `ddspec gallery`, and writing would replace it",
                exit=Exit.USAGE,
                hint="name another file, or remove this one",
            )
        write_whole(output, text.encode())
    except OSError as error:
        raise DdspecError(f"cannot write `{output}`: {error.strerror}", exit=Exit.UNABLE) from error
    say(f"wrote {output}")
