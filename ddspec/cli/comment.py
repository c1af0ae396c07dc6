"""`ddspec comment`: what another job found out about a pull request, as a comment."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ddspec.errors import DdspecError, Exit


class Format(StrEnum):
    """How a review is shown."""

    MARKDOWN = "markdown"
    GITHUB = "github"


def comment(
    review: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `ddspec diff --base … --json` printed.")
    ],
    head: Annotated[
        str | None, typer.Option("--head", metavar="COMMIT", help="The commit that was reviewed.")
    ] = None,
    repository: Annotated[
        str, typer.Option("--repository", metavar="URL", help="Where Markdown links to files.")
    ] = "",
    form: Annotated[
        Format, typer.Option("--format", help="A comment, or annotations of a workflow.")
    ] = Format.MARKDOWN,
) -> Exit:
    """Check a review that somebody else's job wrote, and print it as Markdown.

    Nothing of the file is trusted: sizes, characters and every field are checked, and each text is
    escaped. The commit is taken from `--head`, never from the file.
    """
    from ddspec.cli.output import show
    from ddspec.console.annotations import review_annotations
    from ddspec.console.links import Links
    from ddspec.console.markdown import review_markdown
    from ddspec.console.review import read_review, reviewed

    found = read_review(review)
    if head is not None:
        try:
            found = reviewed(found, "this PR", head)
        except ValueError:
            raise DdspecError(f"`{head}` is no id of a commit", exit=Exit.USAGE) from None
    if form is Format.GITHUB:
        show(review_annotations(found))
    else:
        show(review_markdown(found, Links(repository)))
    return Exit.DONE
