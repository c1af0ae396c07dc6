"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ddspec.errors import DdspecError


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """Runs work, but with a risk or a loss that a person should know of."""
    PROBLEM = "problem"
    """Runs do not work."""
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report."""

    check: str
    """A name of one or two words."""
    verdict: Verdict
    text: str
    mend: str = ""
    """What a person can do about it; never empty for a problem."""


OTHERWISE = "the engine's own log may say more: `journalctl -u docker`"


def ok(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Verdict.OK, text)


def warning(check: str, text: str, mend: str) -> Finding:
    """Return what works with a risk."""
    return Finding(check, Verdict.WARNING, text, mend)


def problem(check: str, text: str, mend: str) -> Finding:
    """Return what does not work."""
    return Finding(check, Verdict.PROBLEM, text, mend)


def unchecked(check: str, why: str) -> Finding:
    """Return why nothing was tried."""
    return Finding(check, Verdict.UNCHECKED, why)


def amount(count: int) -> str:
    """Return bytes in powers of 1024, such as `12.3 GiB`."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def refused(check: str, error: DdspecError) -> Finding:
    """Return a problem in the words of an error."""
    first, *others = error.diagnostics
    more = f" (and {len(others)} more)" if others else ""
    here = not first.hint or "ddspec doctor" in first.hint  # whoever reads this is here already
    return problem(check, f"{first.message}{more}", OTHERWISE if here else first.hint)


def ready(findings: Iterable[Finding]) -> bool:
    """Return whether runs work, as far as was checked."""
    return all(finding.verdict is not Verdict.PROBLEM for finding in findings)
