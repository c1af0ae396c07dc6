"""What a runner said of one stage, out of the text of a job that may have had several."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Ear:
    """Hears, line by line, what is said of one stage; made with the labels of all of a job.

    A runner begins a message with `LABEL: ` and indents the lines that belong to it. Lines that
    name no stage, such as a traceback, are heard too.
    """

    label: str
    labels: Collection[str]
    _elsewhere: bool = False

    def hears(self, line: str) -> bool:
        """Return whether the next line speaks of the stage, or of none."""
        head = line.split(": ", 1)[0]
        if head in self.labels:
            self._elsewhere = head != self.label
        elif not line.startswith("  "):
            self._elsewhere = False
        return not self._elsewhere


def words_of(label: str, lines: Iterable[str], labels: Collection[str]) -> list[str]:
    """Return the lines without those that speak of another stage of `labels`."""
    ear = Ear(label, labels)
    return [line for line in lines if ear.hears(line)]
