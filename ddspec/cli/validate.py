"""`ddspec validate`: say what is wrong with a spec, all at once."""

from __future__ import annotations

from ddspec.cli.options import AsJson, Document
from ddspec.errors import Exit


def validate(document: Document, as_json: AsJson = False) -> Exit:
    """Check a spec or plan; tell all problems at once."""
    from ddspec.cli.inputs import open_document
    from ddspec.cli.output import say, show, show_json

    opened = open_document(document)
    if as_json:
        notes = [{"code": note.code, "message": note.message} for note in opened.notes]
        show_json({"format": "ddspec.validation/1", "name": opened.plan.name, "notes": notes})
        return Exit.DONE
    for note in opened.notes:
        say(f"note: {note}")
    show(f"{document}: valid, {len(opened.plan.stages)} stages")
    return Exit.DONE
