"""Text from elsewhere as GitHub-flavoured Markdown that can only ever be read as text.

HTML escaping does not know `|`, backticks, `@` or `#`; backslashes do not stop the filters that run
on rendered text. So what is special becomes a character reference, which is never structure, and
what those filters look for is broken by a space of no width.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from ddspec.visible import visible

SPECIAL = frozenset("\\`*_[]<>#|~$&@")
"""Characters that can begin something in the middle of a line."""
NO_WIDTH = "&#8203;"
_PLAIN = re.compile(r"[A-Za-z0-9 ._/:,=+()%±*-]+")
"""What may stand between backticks in a table: nothing in it ends them or a cell."""
_BREAKS = (
    re.compile(r"(?<=:)(?=//)"),  # https://
    re.compile(r"(?<=\bwww)(?=\.)", re.IGNORECASE),
    re.compile(r"(?<=[@#])"),  # mentions, issues, mail
    re.compile(r"(?<=\bGH)(?=-\d)", re.IGNORECASE),
    re.compile(r"(?<=:)(?=[\w+-]+:)"),  # emoji
    re.compile(r"(?<=[0-9a-f]{6})(?=[0-9a-f])", re.IGNORECASE),  # ids of commits
)
MARK = "\N{ZERO WIDTH SPACE}"
_OPENING = re.compile(r"\A(\d*)([-+=.)])(?=[ =-]|\Z)")
"""What begins a list or underlines a heading, if a line begins with it."""
_REFERENCES = str.maketrans({MARK: NO_WIDTH} | {char: f"&#{ord(char)};" for char in SPECIAL})


class Markdown(str):
    """Text that is Markdown already, made by us."""

    __slots__ = ()


def escaped(text: object) -> Markdown:
    """Return text that renders as itself, on one line, wherever in a line it stands."""
    if isinstance(text, Markdown):
        return text
    plain = visible(" ".join(str(text).split()))
    for found in _BREAKS:
        plain = found.sub(MARK, plain)
    whole = plain.translate(_REFERENCES)
    return Markdown(_OPENING.sub(lambda found: f"{found[1]}&#{ord(found[2])};", whole))


def code(text: object) -> Markdown:
    """Return text in the type of code; no filter looks into that for mentions."""
    plain = visible(" ".join(str(text).split()))
    if not plain:
        return Markdown("")
    if _PLAIN.fullmatch(plain) and plain == plain.strip():
        return Markdown(f"`{plain}`")
    return Markdown(f"<code>{escaped(plain)}</code>")


def prose(text: object) -> Markdown:
    """Return a message, what it names between backticks in the type of code."""
    if isinstance(text, Markdown):
        return text
    parts = str(text).split("`")
    if len(parts) % 2 == 0:  # one of them is no quotation
        return escaped(text)
    shown = (code(part) if index % 2 else _inline(part) for index, part in enumerate(parts))
    return Markdown("".join(shown).strip())


def _inline(text: str) -> str:
    """Return text between other text: a space at its ends is one."""
    ends = (text[:1].isspace(), len(text) > 1 and text[-1:].isspace())
    return f"{' ' * ends[0]}{escaped(text)}{' ' * ends[1]}"


def link(text: Markdown, url: str) -> Markdown:
    """Return a link to one of our own addresses; its path was quoted by `quoted`."""
    return Markdown(f"[{text}]({url})")


def quoted(path: str) -> str:
    """Return a path for an address, which no bracket in it can end."""
    return quote(path.encode("utf-8", "replace"), safe="/").replace("~", "%7E")


def marker(path: str) -> Markdown:
    """Return the comment by which an earlier report of a spec is found, `<!-- ddspec:PATH -->`."""
    return Markdown(f"<!-- ddspec:{quoted(path).replace('--', '-%2D')} -->")
