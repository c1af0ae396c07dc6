"""`ddspec validate`: say what is wrong with specs, plans, locks and policies, all at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson
from ddspec.errors import DdspecError, Diagnostic, Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.canon import Json

VALIDATION_FORMAT = "ddspec.validation/1"


class Format(StrEnum):
    """How problems are told."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to say of one document."""

    document: Path
    exit: Exit
    name: str | None = None
    told: str = ""
    """What it is, where it is valid."""
    problems: tuple[Diagnostic, ...] = ()
    notes: tuple[Diagnostic, ...] = ()


def validate(
    documents: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Specs, plans, locks, policies.")
    ],
    plans: Annotated[
        bool,
        typer.Option("--plans", help="Also refuse a plan file beside a spec that is not current."),
    ] = False,
    form: Annotated[
        Format, typer.Option("--format", help="`github` is annotations of a workflow.")
    ] = Format.TEXT,
    as_json: AsJson = False,
) -> Exit:
    """Check specs, plan files, locks and policies; tell all problems at once.

    With `--json` the problems are data, and go to stdout.
    """
    verdicts = [_verdict(document, plans=plans) for document in dict.fromkeys(documents)]
    match Format.JSON if as_json else form:
        case Format.JSON:
            _show_json(verdicts)
        case Format.GITHUB:
            _annotate(verdicts)
        case Format.TEXT:
            _tell(verdicts)
    return max((one.exit for one in verdicts), default=Exit.DONE)


def _verdict(document: Path, *, plans: bool) -> Verdict:
    from ddspec.cli.inputs import open_document

    try:
        if (told := _other(document)) is not None:
            return Verdict(document, Exit.DONE, told=told)
        opened = open_document(document)
        if plans:
            _check_beside(document)
    except DdspecError as error:
        return Verdict(document, error.exit, problems=error.diagnostics)
    plan = opened.plan
    told = f"{len(plan.stages)} stages"
    return Verdict(document, Exit.DONE, plan.name, told, notes=opened.notes)


def _other(document: Path) -> str | None:
    """Read a lock or a policy, and say what it is; None for what is another document."""
    from ddspec.cli.inputs import LOCK_SUFFIX
    from ddspec.spec.policy_file import POLICY_FILE

    if document.name.endswith(LOCK_SUFFIX):
        from ddspec.spec.lock import read_lock

        return f"a lock of `{read_lock(document).kind}`"
    if document.name == POLICY_FILE:
        from ddspec.plan.policy import read_policy

        count = len(read_policy(document).policy.rules)
        return f"a policy of {count} rule{'' if count == 1 else 's'}"
    return None


def _check_beside(document: Path) -> None:
    """Refuse a committed plan that does not follow from its spec, bytes compared."""
    from ddspec.cli.changed_specs import plan_of
    from ddspec.cli.inputs import is_plan_file
    from ddspec.plan.codec import check_plan

    if is_plan_file(document):
        check_plan(document)
    elif (beside := Path(plan_of(str(document)))).exists():
        check_plan(beside, document)


def _tell(verdicts: Sequence[Verdict]) -> None:
    from ddspec.cli.output import say, show

    failed = [one for one in verdicts if one.problems]
    for one in verdicts:
        for note in one.notes:
            say(f"note: {note}")
        if not one.problems:
            show(f"{one.document}: valid, {one.told}")
    if failed:
        problems = dict.fromkeys(problem for one in failed for problem in one.problems)
        raise DdspecError(problems, exit=max(one.exit for one in failed))


def _annotate(verdicts: Sequence[Verdict]) -> None:
    from ddspec.cli.output import show
    from ddspec.console.annotations import annotated

    lines = [
        *(annotated(one.problems) for one in verdicts if one.problems),
        *(annotated(one.notes, "notice") for one in verdicts if one.notes),
    ]
    if lines:
        show("\n".join(dict.fromkeys(line for some in lines for line in some.split("\n"))))


def _show_json(verdicts: Sequence[Verdict]) -> None:
    """Print one object: the verdict on one document, or on several together."""
    from ddspec.cli.output import show_json

    if len(verdicts) == 1:
        show_json({"format": VALIDATION_FORMAT, **_plain(verdicts[0])})
        return
    every: list[Json] = [{"document": str(one.document), **_plain(one)} for one in verdicts]
    valid = not any(one.problems for one in verdicts)
    show_json({"format": VALIDATION_FORMAT, "valid": valid, "documents": every})


def _plain(verdict: Verdict) -> dict[str, Json]:
    return {
        "name": verdict.name,
        "valid": not verdict.problems,
        "problems": [_told(problem) for problem in verdict.problems],
        "notes": [_told(note) for note in verdict.notes],
    }


def _told(told: Diagnostic) -> dict[str, Json]:
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
