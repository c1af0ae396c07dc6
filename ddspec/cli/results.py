"""`ddspec results`: the table again, from what is in the store; tables over many documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home, Variants
from ddspec.cli.tables import Format, Wanted
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

Documents = Annotated[
    list[Path],
    typer.Argument(
        metavar="SPEC|PLAN|RESULTS|FOLDER...",
        help="Specs, plan files, files of results, and folders of them.",
    ),
]


def results(
    documents: Documents,
    variant: Variants = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Accuracies by class, and what is taken for what.")
    ] = False,
    table: Annotated[
        bool,
        typer.Option(
            "--table",
            help="Rows methods, columns images per class; so too are several documents shown.",
        ),
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="ROW",
            help="Differences and speed-up against it: `random`, `full`, or a row by its name.",
        ),
    ] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="Of the tables; by default text.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write tables there, not to stdout."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace that file.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Print what is in the store: of one document all there is, of several as tables.

    Runs nothing. Says what is missing. Exits 1 where something in the store is damaged.
    """
    asked = table or baseline is not None or form is not None or output is not None
    if not asked and len(documents) == 1 and _is_alone(documents[0]):
        return _of_one(documents[0], variant, home, per_class=per_class, as_json=as_json)
    if per_class:
        raise DdspecError("`--per-class` is of one spec or plan", exit=Exit.USAGE)
    if as_json and form not in (None, Format.JSON):
        raise DdspecError(f"`--json` is not `--format {form}`", exit=Exit.USAGE)
    from ddspec.cli.documents import gather
    from ddspec.cli.tables import show_tables

    chosen = Format.JSON if as_json else form or Format.TEXT
    evidence = gather(documents, home, variant)
    return show_tables(evidence, Wanted(chosen, baseline or "", output, force))


def _is_alone(document: Path) -> bool:
    """Return whether a document is a spec or plan, or at least no folder and no results."""
    from ddspec.run.measured import is_measured

    return not document.is_dir() and not is_measured(document)


def _of_one(
    document: Path,
    variant: Sequence[str] | None,
    home: Path | None,
    *,
    per_class: bool,
    as_json: bool,
) -> Exit:
    from ddspec.cli.inputs import existing_store, open_document
    from ddspec.cli.output import show, show_json
    from ddspec.cli.report import report_of_store, standing

    plan, store = open_document(document).only(variant).plan, existing_store(home)
    if per_class:
        from ddspec.cli.report_classes import show_classes

        show_classes(plan, store, as_json=as_json)
        return Exit.DONE
    from ddspec.console.unfinished_view import damaged_lines, unfinished_lines
    from ddspec.run.evidence import evidence_of

    report, evidence = report_of_store(plan, store), evidence_of(plan, store, str(document))
    damaged = [damage for one in evidence for damage in one.damaged]
    if as_json:
        show_json(standing(report.plain("ddspec.results/1"), evidence))
    else:
        lines = [*unfinished_lines(evidence), *damaged_lines(damaged)]
        show("\n\n".join(filter(None, [report.text(), "\n".join(lines)])))
    return Exit.FAILED if damaged else Exit.DONE
