"""How errors look: problems of a person's documents, and bugs of our own.

Written without rich, whose import costs more than the rest of a short command.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable

from ddspec.errors import Diagnostic
from ddspec.visible import visible_lines

RED, BOLD, PLAIN = "\x1b[31m", "\x1b[1m", "\x1b[0m"


def render_errors(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """Return all problems of one document, in their order, one block each, safe to print.

    Colour only repeats what the words and the caret say.
    """
    return "\n".join(
        _block(visible_lines(str(diagnostic)), colour=colour) for diagnostic in diagnostics
    )


def render_further(diagnostics: Iterable[Diagnostic]) -> str:
    """Return where violated rules are explained, once for all of them; empty without any."""
    codes = sorted({diagnostic.code for diagnostic in diagnostics if diagnostic.code})
    others = f", and so for {', '.join(codes[1:])}" if codes[1:] else ""
    return f"`ddspec explain {codes[0]}` says why{others}" if codes else ""


def render_bug(error: BaseException, *, command: str, versions: str) -> str:
    """Return the report of a bug: what ran, with which versions, and the traceback."""
    trace = "".join(traceback.format_exception(error))
    return f"ddspec stopped because of a bug in ddspec.\n\n{command}\n{versions}\n\n{trace}"


def _block(text: str, *, colour: bool) -> str:
    head, *rest = visible_lines(text).split("\n")
    if not colour:
        return "\n".join([f"error: {head}", *rest])
    lines = [f"{RED}{BOLD}error:{PLAIN} {BOLD}{head}{PLAIN}"]
    lines += [f"{RED}{line}{PLAIN}" if line.rstrip().endswith("^") else line for line in rest]
    return "\n".join(lines)
