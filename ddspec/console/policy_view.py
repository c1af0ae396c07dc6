"""What a policy says of a plan, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddspec.canon import Json
from ddspec.plan.policy import Verdict, kept
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
