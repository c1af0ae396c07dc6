"""`ddspec report`: one page about an experiment, that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import Document, Home, Variants
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.report.page import Page
    from ddspec.report.subject import Subject

SUFFIX = ".report.html"


def report(
    document: Document,
    variant: Variants = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="SPEC|PLAN", help="Show another one beside it."),
    ] = None,
    against_variant: Annotated[
        str | None,
        typer.Option("--against-variant", metavar="NAME", help="Which variant of the other one."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where the page goes; default NAME.report.html."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    home: Home = None,
) -> Exit:
    """Write one HTML file about what was asked, what ran and what came out.

    Runs nothing, and the page loads nothing. What is not in the store yet is named on it.
    """
    from ddspec.cli.output import show
    from ddspec.report.page import rendered

    if against_variant is not None and against is None:
        raise DdspecError("`--against-variant` is of `--against`", exit=Exit.USAGE)
    named = [_subject(document, variant)]
    if against is not None:
        named.append(_subject(against, None if against_variant is None else [against_variant]))
        _require_single(named)
    target = output or Path(_file_name(named))
    _require_free(target, force=force)
    content = rendered(_page(named, home)).encode()
    _write(target, content, force=force)
    show(f"wrote {target} ({len(content) / 1e6:.1f} MB)")
    return Exit.DONE


def _subject(document: Path, variants: list[str] | None) -> Subject:
    from ddspec.cli.inputs import open_document
    from ddspec.plan.said import over_variants
    from ddspec.report.subject import Subject

    whole = open_document(document)
    opened = whole.only(variants)
    return Subject(
        whole.plan,
        opened.plan,
        str(document),
        over_variants(opened.settings(), opened.plan),
        opened.notes,
        _commit(document),
    )


def _commit(document: Path) -> str:
    """Return the commit of the repository that a document lies in, and whether it is as committed.

    Empty outside of a repository, and without git.
    """
    from ddspec.spec.git import ask

    folder = document.absolute().parent
    try:
        head = ask(folder, ["rev-parse", "HEAD"])
        changed = ask(folder, ["status", "--porcelain", "--", document.name])
    except DdspecError:
        return ""
    if head.code != 0:
        return ""  # a repository without a commit
    return f"{head.text}, with the document changed since" if changed.text else head.text


def _require_single(named: list[Subject]) -> None:
    """Refuse matrices beside each other: which variants belong together, nobody knows."""
    for one, option in zip(named, ("--variant", "--against-variant"), strict=True):
        count = len(one.plan.variants)
        if count > 1:
            raise DdspecError(
                f"`{one.file}` has {count:,} variants, and one is shown beside another",
                exit=Exit.USAGE,
                hint=f"`{option} NAME` chooses: {', '.join(v.name for v in one.plan.variants[:6])}",
            )


def _file_name(named: list[Subject]) -> str:
    parts = [one.plan.name for one in named]
    if len(named) == 1 and len(named[0].plan.variants) == 1 and named[0].plan.is_matrix:
        parts.append(named[0].plan.variants[0].name)
    return "-".join(dict.fromkeys(part.replace("/", "-") for part in parts)) + SUFFIX


def _page(named: list[Subject], home: Path | None) -> Page:
    from ddspec.cli.inputs import existing_store
    from ddspec.report.beside import comparison_of
    from ddspec.report.page import Page
    from ddspec.report.pictures import Album
    from ddspec.report.side import side_of

    store, album = existing_store(home), Album()
    sides = tuple(
        side_of(one, store, album, anchor) for one, anchor in zip(named, ("a", "b"), strict=False)
    )
    return Page(sides, comparison_of(sides[0], sides[1], store) if len(sides) == 2 else None)


def _require_free(target: Path, *, force: bool) -> None:
    """Refuse, before any work, a place where the page cannot go."""
    if not target.parent.is_dir():
        raise DdspecError(f"`{target.parent}` is not a folder", exit=Exit.UNABLE)
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise DdspecError(f"`{target}` is not a regular file", exit=Exit.USAGE)
    if target.exists() and not force:
        raise DdspecError(
            f"`{target}` exists", exit=Exit.USAGE, hint="`--force` replaces it, `-o` names another"
        )


def _write(target: Path, content: bytes, *, force: bool) -> None:
    from ddspec.disk import create_whole, write_whole

    try:
        if force:
            write_whole(target, content)
        elif not create_whole(target, content):
            raise DdspecError(f"`{target}` was made by somebody else just now", exit=Exit.USAGE)
    except OSError as error:
        raise DdspecError(f"cannot write `{target}`: {error.strerror}", exit=Exit.UNABLE) from error
