"""`ddspec results`: the table again, from what is in the store."""

from __future__ import annotations

from ddspec.cli.options import AsJson, Document, Home
from ddspec.errors import Exit


def results(document: Document, as_json: AsJson = False, home: Home = None) -> Exit:
    """Print the table of what is in the store.

    Runs nothing.
    """
    from ddspec.cli.inputs import existing_store, open_document
    from ddspec.cli.output import show, show_json
    from ddspec.cli.report import report_of_store

    report = report_of_store(open_document(document).plan, existing_store(home))
    if as_json:
        show_json(report.plain("ddspec.results/1"))
    else:
        show(report.text())
    return Exit.DONE
