"""Problems and notes as annotations of GitHub's workflows: `::error file=…,line=…::…`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from ddspec.console.review import OURS, At, Report, Review, Told
from ddspec.errors import Diagnostic
from ddspec.visible import visible, visible_lines

Level: TypeAlias = Literal["error", "warning", "notice"]


def annotated(diagnostics: Iterable[Diagnostic], level: Level = "error") -> str:
    """Return one workflow command a diagnostic; none has a line of its own in what it says."""
    return "\n".join(_diagnostic(one, level) for one in diagnostics)


def command(level: Level, message: str, **properties: str | int) -> str:
    """Return a workflow command; what is empty or 0 is left out.

    >>> command("error", "a\\nb", file="x,y.yaml", line=3)
    '::error file=x%2Cy.yaml,line=3::a%0Ab'
    """
    given = [f"{name}={_property(str(value))}" for name, value in properties.items() if value]
    return f"::{level}{' ' if given else ''}{','.join(given)}::{_data(message)}"


def review_annotations(review: Review) -> str:
    """Return the problems, denials and notes of all specs."""
    return "\n".join(line for report in review.reports for line in _report(report))


def _report(report: Report) -> Iterator[str]:
    for row in report.problems:
        yield _told("error", row, report.path)
    for row in report.drift:
        yield _told("warning", row, report.path)
    for rule in report.policy:
        if rule.outcome != "pass":
            level: Level = "error" if rule.outcome == "deny" else "warning"
            yield command(level, rule.message, file=report.path, title=f"policy {rule.rule}")
    if report.plan_file is not None and report.plan_file.state == "stale":
        words = "; ".join(report.plan_file.reasons)
        yield command("error", words, file=report.plan_file.path, title="stale plan")
    for row in report.notes:
        yield _told("notice", row, report.path)


def _told(level: Level, row: Told, path: str) -> str:
    at = row.at if row.at is not None and row.at.inside else At(file=path)
    words = f"{row.message}\nhint: {row.hint}" if row.hint else row.message
    return command(level, words, file=at.file, line=at.line, col=at.column, title=row.code)


def _diagnostic(one: Diagnostic, level: Level) -> str:
    place = one.place
    words = f"{one.message}\nhint: {one.hint}" if one.hint else one.message
    if place is None or place.file.startswith(OURS):
        return command(level, words, title=one.code)
    return command(level, words, file=place.file, line=place.line, col=place.column, title=one.code)


def _data(text: str) -> str:
    """Escape what is said, as GitHub's own toolkit does, so that no line of it is a command."""
    plain = visible_lines(text)
    return plain.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    plain = visible(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return plain.replace("\r", "%0D").replace("\n", "%0A")
