"""Tables over many documents, in the format that a person asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.canon import Json
    from ddspec.run.evidence import Evidence
    from ddspec.run.tables import Block


class Format(StrEnum):
    """How tables are written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What tables are to look like, and where they go."""

    format: Format
    baseline: str
    output: Path | None
    force: bool


def show_tables(evidence: Sequence[Evidence], wanted: Wanted) -> Exit:
    """Print or write tables, and say what is missing and damaged; 1 where something is damaged.

    Raises `DdspecError`: usage where a file is there already, and for an unknown baseline.
    """
    from ddspec.cli.output import say, show
    from ddspec.console.unfinished_view import damaged_lines, unfinished_lines
    from ddspec.run.relating import related
    from ddspec.run.tabulating import blocks_of

    blocks = blocks_of(evidence)
    blocks = _told(related(blocks, wanted.baseline)) if wanted.baseline else related(blocks)
    damaged = [damage for one in evidence for damage in one.damaged]
    code = Exit.FAILED if damaged else Exit.DONE
    notes = "\n".join([*unfinished_lines(evidence), *damaged_lines(damaged)])
    text = _text(blocks, evidence, wanted, code)
    if wanted.output is not None:
        _write(wanted.output, text, force=wanted.force)
        say("\n".join(filter(None, [notes, f"wrote {wanted.output}"])))
    elif wanted.format is Format.TEXT:
        show("\n\n".join(filter(None, [text, notes])))
    else:
        show(text)
        if notes and wanted.format is not Format.JSON:
            say(notes)
    return code


def _told(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Return tables with intervals of differences; a note where that needs more than there is."""
    from ddspec.cli.output import say
    from ddspec.run.telling import told

    try:
        return told(blocks)
    except DdspecError as error:
        if error.exit is not Exit.UNABLE:
            raise
        say(f"note: no intervals, {error.diagnostics[0].message}: `pip install 'ddspec[report]'`")
        return tuple(blocks)


def _text(blocks: Sequence[Block], evidence: Sequence[Evidence], wanted: Wanted, code: Exit) -> str:
    match wanted.format:
        case Format.TEXT:
            from ddspec.console.tables_view import render_tables

            return render_tables(blocks)
        case Format.MARKDOWN:
            from ddspec.console.tables_markdown import markdown_tables

            return markdown_tables(blocks)
        case Format.LATEX:
            from ddspec.console.tables_latex import latex_tables

            return latex_tables(blocks)
        case Format.CSV:
            from ddspec.console.tables_csv import csv_tables

            return csv_tables(blocks)
        case Format.JSON:
            from ddspec.cli.output import json_text

            return json_text(tables_json(blocks, evidence, code))


def tables_json(
    blocks: Sequence[Block], evidence: Sequence[Evidence], code: Exit
) -> dict[str, Json]:
    """Return tables as one JSON object."""
    return {
        "format": "ddspec.table/1",
        "tables": [block.plain() for block in blocks],
        "missing": [
            {"document": one.document, "variant": one.variant, "stages": list(one.missing)}
            for one in evidence
            if one.missing
        ],
        "damaged": [damage.plain() for one in evidence for damage in one.damaged],
        "exit": int(code),
    }


def _write(path: Path, text: str, *, force: bool) -> None:
    """Write a file whole; refuse to replace one unless that is asked for."""
    from ddspec.disk import create_whole, full_disk_named, write_whole

    content = text.rstrip("\n").encode("utf-8", "replace") + b"\n"
    try:
        with full_disk_named(path.absolute().parent):
            if path.is_dir() or not (force or create_whole(path, content)):
                raise DdspecError(
                    f"`{path}` is there already",
                    exit=Exit.USAGE,
                    hint="name another file" + ("" if path.is_dir() else ", or give `--force`"),
                )
            if force:
                write_whole(path, content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DdspecError(f"cannot write `{path}`: {reason}", exit=Exit.UNABLE) from error
