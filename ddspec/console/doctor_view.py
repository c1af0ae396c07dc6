"""How the findings of an examination look: one line each, the way out below what does not work."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from ddspec.canon import Json
from ddspec.doctor.checkup import CHECKS
from ddspec.doctor.finding import Finding, Verdict, ready

MARKS = {
    Verdict.OK: "✓",
    Verdict.WARNING: "!",
    Verdict.PROBLEM: "✗",
    Verdict.UNCHECKED: "-",
}
"""Beside the words, so that the eye finds what is not well; they carry no meaning alone."""
CONCERNS = {check.name: check.executor for check in CHECKS if check.executor is not None}
"""Names of checks that matter to one executor alone."""
NAME_WIDTH = 14
LEAST_WIDTH = 60


def render_finding(finding: Finding, width: int) -> str:
    """Return one finding, its text wrapped to so many columns under itself."""
    head = f"{MARKS[finding.verdict]} {finding.verdict.value:<11}  {finding.check:<{NAME_WIDTH}}  "
    blank = " " * len(head)
    lines = _wrapped(finding.text, head, blank, width)
    if finding.mend:
        lines += _wrapped(finding.mend, f"{blank}-> ", f"{blank}   ", width)
    return "\n".join(lines)


def render_end(findings: Sequence[Finding], executors: Iterable[str]) -> str:
    """Return the last line: what the findings come to, for each executor that was looked at."""
    names = list(executors)
    concern = {
        name: [one for one in findings if CONCERNS.get(one.check, name) == name] for name in names
    }
    well = [name for name in names if ready(concern[name])]
    if not well or well == names:
        return _judged(findings, names)
    others = [name for name in names if name not in well]
    return "; ".join(_judged(concern[part[0]], part) for part in (well, others))


def _judged(findings: Sequence[Finding], executors: Sequence[str]) -> str:
    """Return what findings come to for executors that they all concern."""
    problems = sum(finding.verdict is Verdict.PROBLEM for finding in findings)
    warnings = sum(finding.verdict is Verdict.WARNING for finding in findings)
    places = " and ".join(f"`--executor {name}`" for name in executors)
    if not problems:
        risks = f", with {_many(warnings, 'warning')}" if warnings else ""
        return f"ready for {places}{risks}"
    told = f"{_many(problems, 'problem')}, {_many(warnings, 'warning')}"
    return f"not ready for {places}: {told}"


def findings_json(findings: Sequence[Finding], executors: Iterable[str]) -> Json:
    """Return the findings as they are printed with `--json`."""
    rows: list[Json] = [
        {
            "check": finding.check,
            "verdict": finding.verdict.value,
            "text": finding.text,
            "mend": finding.mend,
        }
        for finding in findings
    ]
    return {
        "format": "ddspec.doctor/1",
        "executors": list(executors),
        "ready": ready(findings),
        "findings": rows,
    }


def _wrapped(text: str, first: str, rest: str, width: int) -> list[str]:
    """Return the lines of a text; a path or address is never broken, for it is copied."""
    return textwrap.wrap(
        text,
        max(width, LEAST_WIDTH),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
