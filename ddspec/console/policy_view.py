"""What a policy says of a plan, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from ddspec.canon import Json
from ddspec.console.review import PolicyRow, line
from ddspec.plan.policy import State, Verdict, kept
from ddspec.visible import visible

POLICY_JSON_FORMAT = "ddspec.policy-verdicts/1"
WORDS = {"kept": "kept", "warned": "warning", "denied": "denied", "unknown": "unknown"}


def policy_summary(verdicts: Sequence[Verdict]) -> str:
    """Return how many rules are kept: `5 of 6 rules kept · ddspec-policy.yaml`."""
    file = visible(verdicts[0].place.file)
    plural = "" if len(verdicts) == 1 else "s"
    return f"{kept(verdicts)} of {len(verdicts)} rule{plural} kept · {file}"


def broken_lines(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, str, str]]:
    """Yield state, text and place of each rule that is not kept, for the view of a plan."""
    for one in verdicts:
        if one.state != "kept":
            reason = f" ({visible(one.reason)})" if one.reason else ""
            where = f"{visible(one.place.file)}:{one.place.line}"
            yield WORDS[one.state], f"{one.kind}: {visible(one.message)}{reason}", where


def render_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Return every rule with its verdict, a line each, and how many are kept."""
    state = max(len(WORDS[one.state]) for one in verdicts)
    kind = max(len(one.kind) for one in verdicts)
    lines = []
    for one in verdicts:
        reason = f" ({visible(one.reason)})" if one.reason and one.state != "kept" else ""
        lines.append(
            f"{WORDS[one.state]:<{state}}  {one.kind:<{kind}}  {visible(one.message)}{reason}"
        )
    return "\n".join([*lines, "", policy_summary(verdicts)])


def policy_rows(verdicts: Sequence[Verdict]) -> tuple[PolicyRow, ...]:
    """Return verdicts for a report; what is not known yet is a warning."""
    outcomes: Mapping[State, Literal["pass", "warn", "deny"]] = {
        "kept": "pass",
        "warned": "warn",
        "denied": "deny",
        "unknown": "warn",
    }
    rows = []
    for one in verdicts:
        unknown = "not known yet: " if one.state == "unknown" else ""
        reason = f" ({one.reason})" if one.reason and one.state != "kept" else ""
        message = line(f"{unknown}{one.message}{reason}")
        rows.append(PolicyRow(rule=line(one.kind), outcome=outcomes[one.state], message=message))
    return tuple(rows)


def verdicts_json(verdicts: Sequence[Verdict]) -> list[Json]:
    """Return verdicts as JSON has them."""
    return [
        {
            "kind": one.kind,
            "state": one.state,
            "message": one.message,
            "reason": one.reason or None,
            "file": one.place.file,
            "line": one.place.line,
        }
        for one in verdicts
    ]
