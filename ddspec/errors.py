"""What goes wrong, as data first and text last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line, the same for every verb."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3
    CHANGED = 4
    REFUSED = 5
    UNABLE = 6
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a person's file; line and column count from 1, and 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0
    text: str = ""
    """The line itself, without its end; empty when it must not be shown."""
    length: int = 1
    """How many characters from `column` on are at fault."""

    def __str__(self) -> str:
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: what is wrong, where, and the way out."""

    message: str
    place: Place | None = None
    hint: str = ""
    code: str = ""
    """Number of the violated rule (`DDS014`), empty for errors of form."""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        code = f" [{self.code}]" if self.code else ""
        lines = [f"{where}{self.message}{code}"]
        if self.place and self.place.text:
            number = str(self.place.line)
            lines += [
                f"  {number} | {self.place.text}",
                f"  {' ' * len(number)} | {' ' * (self.place.column - 1)}"
                f"{'^' * max(1, self.place.length)}",
            ]
        if self.hint:
            lines += [f"  hint: {self.hint}"]
        return "\n".join(lines)


class DdspecError(Exception):
    """A mistake or an inability that a person can mend; every problem of one document at once."""

    def __init__(
        self, diagnostics: Iterable[Diagnostic] | str, *, exit: Exit, hint: str = ""
    ) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = (
            (Diagnostic(diagnostics, hint=hint),)
            if isinstance(diagnostics, str)
            else tuple(diagnostics)
        )
        self.exit = exit
        super().__init__("\n".join(map(str, self.diagnostics)))
