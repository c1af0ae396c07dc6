"""Why stages will run: in a line for each cause, and in full for one stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ddspec.canon import Digest, Json
from ddspec.console.moments import moment
from ddspec.console.overview import Overview
from ddspec.console.setting_words import cause_words, cut, places, value_words
from ddspec.plan.ir import Plan, Stage, own_label
from ddspec.plan.labels import folded
from ddspec.plan.leaves import Edit
from ddspec.plan.rows import told
from ddspec.plan.why import Cause, Reason, What, Why
from ddspec.visible import visible

LINES_SHOWN = 6
CAUSES_SHOWN = 3
FIELDS_SHOWN = 8
SHORT = 8
"""Characters of a key that people compare."""
DERIVED = frozenset({"schedule_digest"})
"""Fields that follow from others, and say nothing to a person."""


@dataclass(slots=True)
class _Cause:
    """Stages that changed for one reason, and how many changed only because of them."""

    reason: Reason
    labels: list[str] = field(default_factory=list)
    below: int = 0


def why_lines(overview: Overview) -> list[tuple[str, str]]:
    """Return (name, text) lines: what changed since the last run that made it, what is damaged."""
    if overview.why is None:
        return []
    found = [*_changed(overview.plan, overview.why, overview.reasons), *_others(overview.reasons)]
    more = len(found) - LINES_SHOWN
    return found if more <= 0 else [*found[:LINES_SHOWN], ("", f"and {more} more: `--why '*'`")]


def _changed(plan: Plan, why: Why, reasons: Mapping[str, Reason]) -> Iterator[tuple[str, str]]:
    causes: dict[tuple[What, str], _Cause] = {}
    for stage in plan:
        if reasons[stage.label].state != "changed":
            continue
        roots = why.roots(stage)
        own = any(root.label == stage.label for root in roots)
        for root in roots:
            entry = causes.setdefault((root.what, because(root)), _Cause(root))
            if root.label not in entry.labels:
                entry.labels.append(root.label)
        if not own:
            for cause in {(root.what, because(root)) for root in roots}:
                causes[cause].below += 1
    for (_, text), entry in causes.items():
        since = entry.reason.past
        plural = "" if entry.below == 1 else "s"
        below = f" · {entry.below} stage{plural} below" if entry.below else ""
        ran = "" if since is None else f" · since the run of {moment(since.time)}"
        yield "changed", f"{told(entry.labels)}: {text}{below}{ran}"


def _others(reasons: Mapping[str, Reason]) -> Iterator[tuple[str, str]]:
    gathered: dict[tuple[str, str], list[str]] = {}
    for reason in reasons.values():
        if reason.what == "damaged":
            gathered.setdefault(("damaged", reason.said), []).append(reason.label)
        elif reason.what == "new":
            gathered.setdefault(("new", because(reason)), []).append(reason.label)
        elif reason.what == "not made":
            ran = "" if reason.past is None else f" on {moment(reason.past.time)}"
            gathered.setdefault(("not made", f"asked for{ran}"), []).append(reason.label)
        elif reason.what == "in store" and reason.said:
            gathered.setdefault(("other code", reason.said), []).append(reason.label)
    for (name, text), labels in gathered.items():
        many = name == "other code" and len(labels) > 1
        what = f"{len(labels)} stages" if many else told(labels)
        yield name, f"{what}: {visible(text)}"


def because(reason: Reason) -> str:
    """Return why a stage differs, in a few words: the settings, else the fields of its work."""
    if reason.causes:
        shown = [f"{cause_words(one)} · {places(one)}" for one in reason.causes[:CAUSES_SHOWN]]
        more = len(reason.causes) - CAUSES_SHOWN
        return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])])
    if reason.what == "new":
        return "no run had it yet"
    if any(one.path == "source.content" for one in reason.fields):
        return "the data are others: another lock or other published files"
    if any(one.path == "revision" for one in reason.fields):
        return "this version computes it differently"
    if reason.fields:
        names = ", ".join(one.path for one in reason.fields[:CAUSES_SHOWN])
        return f"this version makes other {visible(names)} from the same settings"
    if reason.what == "compiler":
        return "this version gives the same work another key"
    return ""


def selected(plan: Plan, pattern: str) -> tuple[Stage, ...]:
    """Return the stages that a pattern names, in the plan's order.

    Each part of it is a name, a glob or a range of numbers, and what follows may be left out:
    `pool`, `pool/0..4`, `evaluate/*/0`, `distill@ipc-1`; without `@` all variants are meant.
    """
    own, at, variant = pattern.partition("@")
    parts = own.split("/")
    return tuple(
        stage
        for stage in plan
        if _names(parts, own_label(stage.label))
        and (not at or fnmatchcase(stage.label.partition("@")[2], variant))
    )


def _names(parts: Sequence[str], label: str) -> bool:
    own = label.split("/")
    return len(parts) <= len(own) and all(map(_fits, parts, own))


def _fits(part: str, own: str) -> bool:
    first, dots, last = part.partition("..")
    if dots and (first + last + own).isdecimal():
        return int(first or 0) <= int(own) <= int(last or own)
    return fnmatchcase(own, part)


def render_why(why: Why, stages: Sequence[Stage], journal: Mapping[Digest, str]) -> str:
    """Return the whole reason of each stage; those with one reason share it.

    `journal` says how the last attempt at a key ended.
    """
    alike: dict[str, list[Stage]] = {}
    for stage in stages:
        alike.setdefault("\n".join(_in_full(why, stage, journal)), []).append(stage)
    blocks = []
    for text, members in alike.items():
        labels = ", ".join(folded(stage.label for stage in members))
        state, _, rest = text.partition("\n")
        keys = _keys(why, members[0]) if len(members) == 1 else ""
        blocks.append("\n".join(part for part in (f"{labels}: {state}{keys}", rest) if part))
    return "\n\n".join(blocks)


def _keys(why: Why, stage: Stage) -> str:
    """Return the key of one stage, and the one that it had in the run it is compared with."""
    was = why.reason(stage).was
    moved = was is not None and was.key != stage.key
    before = f", was {was.key[:SHORT]}" if was is not None and moved else ""
    return "" if stage.key is None else f" (key {stage.key[:SHORT]}{before})"


def _in_full(why: Why, stage: Stage, journal: Mapping[Digest, str]) -> Iterator[str]:
    chain = why.trace(stage)
    reason = chain[0]
    yield _state_words(reason, stage.key, visible(journal.get(stage.key or "", "")))
    if reason.state == "changed":
        yield from _chain(chain)
    elif reason.what == "new" and reason.causes:
        yield " what changed since and can have added it:"
        yield from _cause_lines(reason.causes)


def _state_words(reason: Reason, key: Digest | None, ended: str) -> str:
    ran = "" if reason.past is None else moment(reason.past.time)
    last = f"; the last attempt: {ended}" if ended else ""
    match reason.what:
        case "data":
            return "no key yet, its data are not locked (`ddspec lock`)"
        case "in store":
            return "in store" + (f", {visible(reason.said)}" if reason.said else "")
        case "not needed":
            return "not in store, and nothing that will run needs it"
        case "damaged":
            return f"will run: its stored output is damaged, {visible(reason.said)}"
        case "not made":
            other = "" if reason.was is None or reason.was.key == key else " with other settings"
            return f"will run: the run of {ran} asked for it{other} and did not finish it{last}"
        case "never run":
            return f"will run: no run here has asked for it{last}"
        case "new":
            return f"will run: it is new, the run of {ran} did not have it{last}"
        case _:
            return f"will run: changed since the run of {ran}"


def _chain(chain: Sequence[Reason]) -> Iterator[str]:
    """Yield what differs, the stage first, then what is above it; those that are alike share."""
    alike: dict[tuple[str, ...], list[Reason]] = {}
    for reason in chain:
        alike.setdefault(tuple(_differences(reason)), []).append(reason)
    for at, (lines, reasons) in enumerate(alike.items()):
        labels = ", ".join(folded(reason.label for reason in reasons))
        yield f" {'this' if not at else labels} {lines[0]}"
        yield from lines[1:]


def _differences(reason: Reason) -> Iterator[str]:
    above = ", ".join(folded(reason.above))
    match reason.what:
        case "downstream":
            yield f"changed because {above} changed"
            return
        case "new":
            yield "is new"
        case "compiler":
            yield f"has the same work and inputs: {because(reason)}"
        case _:
            yield "differs itself" + (f", and {above} changed" if above else "")
    yield from _cause_lines(reason.causes)
    if not reason.causes and reason.fields:
        yield f"   {because(reason)}"
    yield from _field_lines(reason)


def _cause_lines(causes: Iterable[Cause]) -> Iterator[str]:
    for cause in causes:
        yield f"   {cause_words(cause, 80)}"
        now = "no such setting" if cause.after is None else visible(cause.after)
        was = "no such setting" if cause.before is None else visible(cause.before)
        yield f"      {now} (was {was})"


def _field_lines(reason: Reason) -> Iterator[str]:
    said = {_told(cause.path, cause.edit) for cause in reason.causes}
    fields = [
        one for one in reason.fields if one.path not in DERIVED and _told(one.path, one) not in said
    ]
    for one in fields[:FIELDS_SHOWN]:
        before, after = (cut(value_words(value), 30) for value in (one.before, one.after))
        yield f"   in its work: {visible(one.path)} {before} -> {after}"
    if len(fields) > FIELDS_SHOWN:
        yield f"   and {len(fields) - FIELDS_SHOWN} more fields"


def _told(path: str, edit: Edit) -> str:
    """Return what a changed leaf says, to see that a setting has said it already."""
    return f"{path.rpartition('.')[2]} {value_words(edit.before)} {value_words(edit.after)}"


def reason_json(why: Why, stage: Stage) -> dict[str, Json]:
    """Return why a stage has its state, with the chain down to the settings, as JSON."""
    chain = why.trace(stage)
    first = chain[0]
    return {
        "state": first.state,
        "reason": first.what,
        **({"said": first.said} if first.said else {}),
        **({} if first.past is None else {"run": first.past.time}),
        **({"was": first.was.key} if first.was is not None else {}),
        **({"chain": [_link_json(one) for one in chain]} if first.state == "changed" else {}),
        **({"settings": _causes_json(first)} if first.what == "new" and first.causes else {}),
    }


def _link_json(reason: Reason) -> dict[str, Json]:
    return {
        "label": reason.label,
        "reason": reason.what,
        "inputs": list(reason.above),
        "fields": [
            {"path": one.path, "before": one.before, "after": one.after} for one in reason.fields
        ],
        "settings": _causes_json(reason),
    }


def _causes_json(reason: Reason) -> list[Json]:
    return [
        {
            "path": cause.path,
            "before": cause.edit.before,
            "after": cause.edit.after,
            "where": cause.after,
            "was": cause.before,
        }
        for cause in reason.causes
    ]
