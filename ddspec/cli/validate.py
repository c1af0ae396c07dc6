"""`ddspec validate`: say what is wrong with a spec, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddspec.cli.options import AsJson, Document
from ddspec.errors import DdspecError, Diagnostic, Exit

if TYPE_CHECKING:
    from ddspec.canon import Json


def validate(document: Document, as_json: AsJson = False) -> Exit:
    """Check a spec or plan; tell all problems at once.

    With `--json` the problems are data, and go to stdout.
    """
    from ddspec.cli.inputs import open_document
    from ddspec.cli.output import say, show, show_json

    if as_json:
        exit, found = _verdict(document)
        show_json(found)
        return exit
    opened = open_document(document)
    for note in opened.notes:
        say(f"note: {note}")
    show(f"{document}: valid, {len(opened.plan.stages)} stages")
    return Exit.DONE


def _verdict(document: Document) -> tuple[Exit, dict[str, Json]]:
    from ddspec.cli.inputs import open_document

    try:
        opened = open_document(document)
    except DdspecError as error:
        return error.exit, _answer(None, problems=error.diagnostics)
    return Exit.DONE, _answer(opened.plan.name, notes=opened.notes)


def _answer(
    name: str | None,
    *,
    problems: tuple[Diagnostic, ...] = (),
    notes: tuple[Diagnostic, ...] = (),
) -> dict[str, Json]:
    return {
        "format": "ddspec.validation/1",
        "name": name,
        "valid": not problems,
        "problems": [_plain(problem) for problem in problems],
        "notes": [_plain(note) for note in notes],
    }


def _plain(told: Diagnostic) -> dict[str, Json]:
    """Return a diagnostic as data; line and column count from 1, and are null where unknown."""
    place = told.place
    return {
        "code": told.code or None,
        "message": told.message,
        "hint": told.hint or None,
        "file": None if place is None else place.file,
        "line": None if place is None else place.line or None,
        "column": None if place is None else place.column or None,
    }
