"""What a rule finds: a number, a severity, the path of the setting, words, a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ddspec.errors import Diagnostic, Place

Path: TypeAlias = "tuple[str | int, ...]"
Places: TypeAlias = "Callable[..., Place | None]"
"""From the parts of a path (`"network", "norm"`) to where it stands in the person's file."""


def nowhere(*_path: str | int) -> None:
    """Know no place: for experiments that come from no file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A violated rule."""

    code: str
    severity: Literal["error", "note"]
    path: Path
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one spec, located: errors forbid a plan, notes are shown with it."""

    errors: tuple[Diagnostic, ...]
    notes: tuple[Diagnostic, ...]


def error(number: int, path: Sequence[str | int], message: str, hint: str = "") -> Finding:
    """Return a finding that forbids the plan."""
    return Finding(f"DDS{number:03}", "error", tuple(path), message, hint)


def note(number: int, path: Sequence[str | int], message: str, hint: str = "") -> Finding:
    """Return a finding that a reviewer should see."""
    return Finding(f"DDS{number:03}", "note", tuple(path), message, hint)


def located(findings: Iterable[Finding], places: Places) -> Report:
    """Return the findings as diagnostics, in the order of the file."""
    every = [
        (found.severity, Diagnostic(found.message, places(*found.path), found.hint, found.code))
        for found in findings
    ]
    every.sort(key=lambda pair: (pair[1].place.line if pair[1].place else 0, pair[1].code))
    return Report(
        errors=tuple(diagnostic for severity, diagnostic in every if severity == "error"),
        notes=tuple(diagnostic for severity, diagnostic in every if severity == "note"),
    )
