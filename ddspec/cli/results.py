"""`ddspec results`: the table again, from what is in the store."""

from __future__ import annotations

from ddspec.cli.options import AsJson, Document, Home, Variants
from ddspec.errors import Exit


def results(
    document: Document, variant: Variants = None, as_json: AsJson = False, home: Home = None
) -> Exit:
    """Print the table of what is in the store.

    Runs nothing.
    """
    from ddspec.cli.inputs import existing_store, open_document
    from ddspec.cli.output import show, show_json
    from ddspec.cli.report import report_of_store

    plan = open_document(document).only(variant).plan
    report = report_of_store(plan, existing_store(home))
    if as_json:
        show_json(report.plain("ddspec.results/1"))
    else:
        show(report.text())
    return Exit.DONE
