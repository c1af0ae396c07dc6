"""What changed between two plans, and between their results, as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ddspec.canon import Json, canonical
from ddspec.plan.diff import Change, PlanDiff
from ddspec.plan.labels import pattern, range_label
from ddspec.run.scores import Score, gain
from ddspec.visible import visible

DIFF_JSON_FORMAT = "ddspec.diff/1"
SHOWN = 40
"""Characters of a value that are shown."""
EDITS_SHOWN = 3
NOTHING = "nothing changed"


def render_diff(changed: PlanDiff, before: str, after: str) -> str:
    """Return settings, stages, schedule and a verdict; `before` and `after` name the documents."""
    sections = (
        [f"{before} -> {after}: {_verdict(changed)}"],
        _settings(changed),
        _stages(changed),
        _relations(changed),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def render_scores(before: Sequence[Score], after: Sequence[Score]) -> str:
    """Return accuracies side by side, in percent; empty where no evaluation is in both.

    The standard error is that of the difference of two independent means.
    """
    found = {(score.set, score.network): score for score in before}
    rows = [
        _score_row(found[score.set, score.network], score)
        for score in after
        if (score.set, score.network) in found
    ]
    if not rows:
        return ""
    heading = ("set", "network", "before %", "after %", "difference", "standard error")
    return "\n".join(_columns([heading, *rows], left=2))


def diff_json(
    changed: PlanDiff, before: Sequence[Score] = (), after: Sequence[Score] = ()
) -> dict[str, Json]:
    """Return the difference as one JSON object."""
    found = {(score.set, score.network): score for score in before}
    return {
        "format": DIFF_JSON_FORMAT,
        "changed": bool(changed),
        "settings": [
            {"path": one.path, "before": one.before, "after": one.after, "effect": one.effect}
            for one in changed.settings
        ],
        "stages": [
            {
                "label": change.label,
                "status": change.status,
                "edits": [edit.path for edit in change.edits],
            }
            for change in changed.changes
        ],
        "schedule": {
            "before": changed.schedule.before,
            "after": changed.schedule.after,
            "shared": changed.schedule.shared,
        },
        "comparable": {
            "verdict": bool(changed.comparable),
            "protocol": changed.comparable.protocol,
            "test_set": changed.comparable.test_set,
            "networks": changed.comparable.networks,
            "labels": changed.comparable.labels,
        },
        "results": [
            _score_json(found[score.set, score.network], score)
            for score in after
            if (score.set, score.network) in found
        ],
    }


def _verdict(changed: PlanDiff) -> str:
    if not changed:
        return NOTHING
    return f"{_scope(changed)}, numbers {'stay' if changed.comparable else 'are not'} comparable"


def _scope(changed: PlanDiff) -> str:
    """Return how far up the change begins."""
    moved = [change for change in changed.changes if change.status != "same"]
    kinds = {change.label.split("/")[0] for change in moved}
    if not moved:
        return "no stage changes"
    if any(change.label.startswith("prepare") and change.status == "edited" for change in moved):
        return "the data change"
    if all(one.effect in LAYOUT for one in changed.settings):
        return "only the layout changes"
    if kinds <= {"evaluate", "select", "prepare"}:
        return "only evaluation changes"
    return "pool and distillation change" if "pool" in kinds else "distillation changes"


LAYOUT = frozenset({"layout only", "none", "none, a location"})


def _settings(changed: PlanDiff) -> list[str]:
    if not changed.settings:
        return []
    rows = [
        (one.path, _shown(one.before), _shown(one.after), one.effect) for one in changed.settings
    ]
    return _columns([("setting", "before", "after", "effect"), *rows], left=4)


def _stages(changed: PlanDiff) -> list[str]:
    if not changed:
        return []
    counts = " · ".join(f"{n} {status}" for status, n in changed.counts.items())
    return [f" {len(changed.changes)} stages: {counts}", *_columns(list(_groups(changed)), left=3)]


def _groups(changed: PlanDiff) -> Iterator[tuple[str, str, str]]:
    """Yield one row for neighbours that changed alike, with the cause; same ones are left out."""
    moved = (change for change in changed.changes if change.status != "same")
    for (status, _, cause), run in groupby(moved, key=_likeness):
        yield status, range_label([change.label for change in run]), cause


def _likeness(change: Change) -> tuple[str, str, str]:
    paths = [edit.path for edit in change.edits if edit.path != "schedule_digest"]
    cause = ", ".join(paths[:EDITS_SHOWN])
    if change.status == "edited" and not paths:
        cause = "other inputs"
    if len(paths) > EDITS_SHOWN:
        cause += f" and {len(paths) - EDITS_SHOWN} more"
    return change.status, pattern(change.label), cause


def _relations(changed: PlanDiff) -> list[str]:
    if not changed:
        return []
    schedule, comparable = changed.schedule, changed.comparable
    most = max(schedule.before, schedule.after)
    if schedule.before == schedule.after == schedule.shared:
        rows = f"all {most} rows unchanged"
    elif schedule.shared == min(schedule.before, schedule.after):
        rows = f"first {schedule.shared} of {most} rows unchanged"
    else:
        rows = f"another one from row {schedule.shared} on"
    verdicts = {
        "protocol": comparable.protocol,
        "test set": comparable.test_set,
        "networks": comparable.networks,
        "label kind": comparable.labels,
    }
    same = [name for name, kept in verdicts.items() if kept]
    other = [name for name, kept in verdicts.items() if not kept]
    lines = [f" schedule: {rows}"]
    lines += [f" unchanged: {', '.join(same)}"] if same else []
    lines += [f" changed: {', '.join(other)}; accuracies do not compare"] if other else []
    return lines


def _score_row(before: Score, after: Score) -> tuple[str, ...]:
    found = gain(after, before)
    error = "-" if found.standard_error is None else f"{100 * found.standard_error:.2f}"
    return (
        after.set,
        after.network,
        _accuracy(before),
        _accuracy(after),
        f"{100 * found.difference:+.2f}",
        error,
    )


def _score_json(before: Score, after: Score) -> dict[str, Json]:
    found = gain(after, before)
    return {
        "before": before.plain(),
        "after": after.plain(),
        "difference": found.difference,
        "standard_error": found.standard_error,
    }


def _accuracy(score: Score) -> str:
    spread = "" if score.std is None else f" ± {100 * score.std:.2f}"
    return f"{100 * score.mean:.2f}{spread} (n={len(score.accuracies)})"


def _shown(value: Json) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else canonical(value).decode()
    if isinstance(value, float):
        text = repr(value)
    text = visible(text)  # a cell has one line
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _columns(rows: Iterable[Sequence[str]], *, left: int) -> list[str]:
    """Return rows aligned in columns, the first `left` of them to the left."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " "
        + "  ".join(
            f"{cell:<{width}}" if at < left else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
