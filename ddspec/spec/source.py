"""Text from a person's file, and positions in it that are safe to print."""

from __future__ import annotations

import os
import re
import stat
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.visible import visible

MAX_BYTES = 2**20
MAX_LINE = 200
"""Longest line that is shown in full, in characters."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_NOT_YAML = (
    "[^\t\n\r\x20-\x7e\x85\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What YAML 1.2 does not allow, and the two Unicode line ends on which editors disagree."""
_CONFLICT = re.compile(r"^(?:<{7}|>{7})(?= |$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file, and where its lines begin."""

    file: str
    text: str
    private: bool = False
    """Never print lines of it: nothing shows that it is meant for us."""
    ours: bool = False
    """Part of this package, and so nothing that a person who is told of it can mend."""
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = (0, *(end.end() for end in _LINE_END.finditer(self.text)))
        object.__setattr__(self, "_starts", starts)

    def place(self, start: int, end: int | None = None) -> Place:
        """Return the position of the characters start..end-1, with their first line."""
        start = min(max(start, 0), len(self.text))
        row = bisect_right(self._starts, start) - 1
        begin = self._starts[row]
        column = start - begin
        length = max(1, min((end or start + 1) - start, self._end(row) - start))
        hidden = self.private or column + length > MAX_LINE
        line = "" if hidden else self.text[begin : min(self._end(row), begin + MAX_LINE + 1)]
        return Place(visible(self.file), row + 1, column + 1, _cropped(visible(line)), length)

    def _end(self, row: int) -> int:
        """Return the offset of the end of a line, before its line end."""
        if row + 1 == len(self._starts):
            return len(self.text)
        after = self._starts[row + 1]
        return after - (2 if self.text[after - 2 : after] == "\r\n" else 1)

    def problem(
        self, message: str, start: int, end: int | None = None, *, hint: str = ""
    ) -> Diagnostic:
        """Return a diagnostic about the characters start..end-1."""
        return Diagnostic(message, self.place(start, end), hint)


def read_source(path: Path | str, *, sections: Iterable[str] = ()) -> Source:
    """Read a file written by a person: a regular one, UTF-8, at most 1 MiB.

    `sections` are the top-level keys by which a document of ours is known: unless two of them
    begin a line, no line of the file is ever shown in a message, whatever the path led to.
    Raises `DdspecError` (invalid) with the place of the first byte that is at fault.
    """
    name = str(path)
    return source_of(_read(name), name, sections=sections)


def source_of(data: bytes, name: str, *, sections: Iterable[str] = ()) -> Source:
    """Return the source of bytes that are a person's file, as `read_source` does."""
    return checked(_decoded(data, name, sections))


def checked(source: Source) -> Source:
    """Return the source unless it holds what no YAML parser should be given.

    Raises `DdspecError` (invalid) for control characters, surrogates and merge-conflict markers.
    """
    if bad := _not_yaml(source.text):
        code = f"U+{ord(bad[0]):04X}"
        problem = source.problem(f"character {code} is not allowed in YAML", bad.start())
        raise DdspecError([problem], exit=Exit.INVALID)
    if mark := _CONFLICT.search(source.text):
        problem = source.problem(
            "merge-conflict marker", *mark.span(), hint="resolve the conflict first"
        )
        raise DdspecError([problem], exit=Exit.INVALID)
    return source


def _not_yaml(text: str) -> re.Match[str] | None:
    """Return the first character that YAML does not allow."""
    if text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
        return None  # all that is not allowed is not printable; few files need the slow pattern
    return re.search(_NOT_YAML, text)


def _cropped(line: str) -> str:
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"


def _read(name: str) -> bytes:
    """Read a regular file without following a link, waiting for a pipe or reading without end."""
    try:
        if stat.S_ISLNK(os.lstat(name).st_mode):
            raise _refused(name, "is a symbolic link", hint="name the file that it points to")
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise _refused(name, "does not exist", hint=_similar(name)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _refused(name, f"cannot be read: {reason}") from None
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
            raise _refused(name, f"is {kind}")
        with open(handle, "rb", closefd=False) as file:
            data = file.read(MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(data) > MAX_BYTES:
        raise _refused(name, "is larger than 1 MiB")
    return data


def _decoded(data: bytes, name: str, sections: Iterable[str]) -> Source:
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    known = re.findall(rf"^({'|'.join(map(re.escape, sections))}):", text, re.MULTILINE)
    source = Source(name, text, private=len(set(known)) < 2)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        problem = source.problem(
            f"byte 0x{data[error.start]:02x} is not UTF-8", len(before), hint="save it as UTF-8"
        )
        raise DdspecError([problem], exit=Exit.INVALID) from None
    return source


def _refused(name: str, what: str, *, hint: str = "") -> DdspecError:
    shown = visible(name)
    return DdspecError([Diagnostic(f"`{shown}` {what}", Place(shown), hint)], exit=Exit.INVALID)


def _similar(name: str) -> str:
    path = Path(name)
    try:
        beside = sorted(entry.name for entry in path.parent.glob("*.yaml"))
    except OSError:
        return ""
    close = get_close_matches(path.name, beside, n=1)
    return f"did you mean `{visible(str(path.with_name(close[0])))}`?" if close else ""
