"""`ddspec results`: the table again, from what is in the store."""

from __future__ import annotations

from typing import Annotated

import typer

from ddspec.cli.options import AsJson, Document, Home, Variants
from ddspec.errors import Exit


def results(
    document: Document,
    variant: Variants = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Accuracies by class, and what is taken for what.")
    ] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Print the table of what is in the store.

    Runs nothing.
    """
    from ddspec.cli.inputs import existing_store, open_document
    from ddspec.cli.output import show, show_json
    from ddspec.cli.report import report_of_store, standing

    plan, store = open_document(document).only(variant).plan, existing_store(home)
    if per_class:
        from ddspec.cli.report_classes import show_classes

        show_classes(plan, store, as_json=as_json)
        return Exit.DONE
    report = report_of_store(plan, store)
    if as_json:
        from ddspec.run.evidence import evidence_of

        plain = report.plain("ddspec.results/1")
        show_json(standing(plain, evidence_of(plan, store, str(document))))
    else:
        show(report.text())
    return Exit.DONE
