"""Rules for people: the list of them, and one in full."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from ddspec.canon import Json
from ddspec.plan.rule import Rule

WIDTH = 80
INDENT = "  "


def render_rules(rules: Sequence[Rule]) -> str:
    """Return one line a rule: code, severity, title."""
    width = max(len(rule.severity) for rule in rules)
    lines = [f"{rule.code}  {rule.severity:<{width}}  {rule.title}" for rule in rules]
    return "\n".join([*lines, "", "`ddspec explain DDS014` says more of one of them"])


def render_rule(rule: Rule) -> str:
    """Return what a rule is about, why it is there, the way out, and an example."""
    sections = (
        (f"{rule.code} ({rule.severity}): {rule.title}", ()),
        ("violated when", _wrapped(rule.says)),
        ("why", _wrapped(rule.why)),
        ("way out", _wrapped(rule.mend)),
        ("wrong", rule.wrong.splitlines()),
        ("right", rule.right.splitlines()),
    )
    return "\n\n".join("\n".join([head, *_indented(lines)]) for head, lines in sections)


def rules_json(rules: Iterable[Rule]) -> dict[str, Json]:
    """Return rules as one JSON object."""
    return {
        "format": "ddspec.rules/1",
        "rules": [
            {
                "code": rule.code,
                "severity": rule.severity,
                "title": rule.title,
                "says": rule.says,
                "why": rule.why,
                "mend": rule.mend,
                "wrong": rule.wrong,
                "right": rule.right,
            }
            for rule in rules
        ],
    }


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - len(INDENT), break_long_words=False, break_on_hyphens=False)


def _indented(lines: Iterable[str]) -> list[str]:
    return [INDENT + line for line in lines]
