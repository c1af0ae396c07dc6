"""What a runner said of one stage, out of the text of a job that may have had several."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def words_of(label: str, lines: Iterable[str], labels: Collection[str]) -> list[str]:
    """Return the lines without those that speak of another stage of `labels`.

    A runner begins a message with `LABEL: ` and indents the lines that belong to it. Lines that
    name no stage, such as a traceback, are kept.
    """
    found: list[str] = []
    elsewhere = False
    for line in lines:
        head = line.split(": ", 1)[0]
        if head in labels:
            elsewhere = head != label
        elif not line.startswith("  "):
            elsewhere = False
        if not elsewhere:
            found.append(line)
    return found
