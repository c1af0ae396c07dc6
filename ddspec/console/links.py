"""Links to files of a repository on the web."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ddspec.console.markdown_text import Markdown, link, quoted
from ddspec.console.review import At
from ddspec.errors import DdspecError, Exit

_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Links:
    """Where files of both revisions can be looked at; without an address nothing is linked."""

    repository: str = ""
    """`https://github.com/OWNER/NAME`."""

    def __post_init__(self) -> None:
        if self.repository and _ADDRESS.fullmatch(self.repository) is None:
            raise DdspecError(
                "a repository's address looks like `https://github.com/OWNER/NAME`",
                exit=Exit.USAGE,
            )

    def file(self, text: Markdown, at: At, commit: str | None) -> Markdown:
        """Return a text that links to a line of a commit, if it can be linked to."""
        if not self.repository or commit is None or not at.inside:
            return text
        line = f"#L{at.line}" if at.line else ""
        return link(text, f"{self.repository}/blob/{commit}/{quoted(at.file)}{line}")
