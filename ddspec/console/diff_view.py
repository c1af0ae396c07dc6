"""What changed between two plans, and between their results, as plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ddspec.canon import Digest, Json, canonical
from ddspec.console.columns import columns
from ddspec.console.markdown_costs import TO, hours
from ddspec.console.quantities import flops, memory, size
from ddspec.console.stage_groups import stage_groups
from ddspec.plan.category import scope
from ddspec.plan.diff import PlanDiff, SettingChange
from ddspec.plan.effort import Effort, Taken
from ddspec.visible import visible

DIFF_JSON_FORMAT = "ddspec.diff/1"
PLAN_FIELDS = ("category", "settings", "stages", "schedule", "comparable", "variants")
SHOWN = 30
"""Characters of a value that are shown."""
LEAD = 8
"""Of them, those before the first that differs."""
NAMES_SHOWN = 5
NOTHING = "nothing changed"


def render_diff(
    changed: PlanDiff,
    before: str,
    after: str,
    cost: Effort | None = None,
    where: Callable[[str], str] = lambda _: "",
) -> str:
    """Return settings, stages, schedule and a verdict; `before` and `after` name the documents.

    `where` tells of a setting's path on which lines it is written.
    """
    sections = (
        [f"{before} -> {after}: {_verdict(changed)}"],
        _settings(changed, where),
        _variants(changed),
        _stages(changed),
        [*_relations(changed), *_cost(cost)] if changed else [],
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def render_results_diff(before: str, after: str, *, changed: bool) -> str:
    """Return the first line where one document is a file of results, which has no settings."""
    plans = "of different plans" if changed else "of one plan"
    return f"{before} -> {after}: results {plans}; settings are compared between specs or plans"


def diff_json(
    found: PlanDiff | None,
    results: Sequence[Json] = (),
    *,
    plans: tuple[Digest, Digest],
    changed: bool,
    cost: Effort | None = None,
    where: Callable[[str], str] = lambda _: "",
) -> dict[str, Json]:
    """Return the difference as one JSON object; `found` is None where results alone compare.

    `results` are the pairs of accuracies, as `scores_json` has them.
    """
    nothing: dict[str, Json] = dict.fromkeys(PLAN_FIELDS)
    return {
        "format": DIFF_JSON_FORMAT,
        "changed": changed,
        "plans": {"before": plans[0], "after": plans[1]},
        **(nothing if found is None else _plan_json(found, where)),
        "costs": None if cost is None else _cost_json(cost),
        "results": list(results),
    }


def _cost_json(cost: Effort) -> dict[str, Json]:
    sides = {"before": cost.before, "after": cost.after, "new": cost.new}
    device = cost.clock.device
    return {
        "device": None if device is None else device.name,
        **{name: None if one is None else one.plain() for name, one in sides.items()},
    }


def _plan_json(changed: PlanDiff, where: Callable[[str], str]) -> dict[str, Json]:
    return {
        "category": changed.category,
        "settings": [
            {
                "path": one.path,
                "before": one.before,
                "after": one.after,
                "effect": one.effect,
                "category": one.category,
                "variants": list(one.variants),
                "where": where(one.path) or None,
            }
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
            "budget": changed.comparable.budget,
        },
        "variants": {
            "added": list(changed.variants.added),
            "removed": list(changed.variants.removed),
            "changed": list(changed.variants.changed),
            "same": list(changed.variants.same),
        },
    }


def _verdict(changed: PlanDiff) -> str:
    if not changed:
        return NOTHING
    verdict = "stay" if changed.comparable else "are not"
    found = changed.variants
    numbers = {"added": found.added, "removed": found.removed, "changed": found.changed}
    words = scope(changed.moves, **{name: len(names) for name, names in numbers.items()})
    return f"{words}, numbers {verdict} comparable"


def _settings(changed: PlanDiff, where: Callable[[str], str]) -> list[str]:
    if not changed.settings:
        return []
    heads = ("setting", "before", "after", "effect", "where")
    rows = [
        (one.path, *_shown(_text(one.before), _text(one.after)), _effect(one), where(one.path))
        for one in changed.settings
    ]
    width = 5 if any(row[-1] for row in rows) else 4
    return columns([row[:width] for row in (heads, *rows)], left=width)


def _effect(one: SettingChange) -> str:
    count = len(one.variants)
    return f"{one.effect}, {count} variant{'s' if count > 1 else ''}" if count else one.effect


def _variants(changed: PlanDiff) -> list[str]:
    found = changed.variants
    if not found and not found.same:
        return []
    named = (("added", found.added), ("removed", found.removed), ("changed", found.changed))
    rows = [(what, f"{len(names)}", _listed(names)) for what, names in named if names]
    return [
        f" {sum(map(len, (found.added, found.removed, found.changed, found.same)))} variants:"
        f" {len(found.same)} same",
        *columns(rows, left=3),
    ]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _stages(changed: PlanDiff) -> list[str]:
    if not changed:
        return []
    counts = " · ".join(f"{n} {status}" for status, n in changed.counts.items())
    settings = [one.path for one in changed.settings]
    rows = [(one.status, one.label, one.cause) for one in stage_groups(changed.changes, settings)]
    return [f" {len(changed.changes)} stages: {counts}", *columns(rows, left=3)]


def _cost(cost: Effort | None) -> list[str]:
    if cost is None or cost.before is None or cost.after is None:
        return []
    rows = [("from scratch", *(_work(cost, one) for one in (cost.before, cost.after)))]
    if cost.new is not None:
        rows.append(("if before has run", "-", _work(cost, cost.new)))
    held = (_held(one) for one in (cost.before, cost.after))
    rows.append(("memory / disk", *held))
    what = "work" if cost.clock.device is None else f"hours on {cost.clock.device.name}"
    return ["", *columns([(what, "before", "after"), *rows], left=1)]


def _work(cost: Effort, taken: Taken) -> str:
    if cost.clock.device is None:
        return flops(taken.flops)
    span = taken.device_seconds
    return hours(None if span is None else (span.low_s, span.high_s)).replace(TO, "-")


def _held(taken: Taken) -> str:
    return f"{memory(taken.memory_bytes)} / {size(taken.disk_bytes)}"


def _relations(changed: PlanDiff) -> list[str]:
    schedule, comparable = changed.schedule, changed.comparable
    most = max(schedule.before, schedule.after)
    if schedule.before == schedule.after == schedule.shared:
        rows = f"all {most} rows unchanged"
    elif schedule.shared == min(schedule.before, schedule.after):
        rows = f"first {schedule.shared} of {most} rows unchanged"
    else:
        rows = f"another one from row {schedule.shared} on"
    verdicts = comparable.facts
    same = [name for name, kept in verdicts.items() if kept]
    other = [name for name, kept in verdicts.items() if not kept]
    lines = [f" schedule: {rows}"] if most else []
    lines += [f" unchanged: {', '.join(same)}"] if same else []
    lines += [f" changed: {', '.join(other)}; accuracies do not compare"] if other else []
    return lines


def _shown(before: str, after: str) -> tuple[str, str]:
    """Return two values cut to a cell each, and from where they differ if that is further on."""
    pairs = enumerate(zip(before, after, strict=False))
    alike = next((at for at, (a, b) in pairs if a != b), 0)
    start = 0 if alike < SHOWN - LEAD else alike - LEAD
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    text = f"…{text[start + 1 :]}" if start else text
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _text(value: Json) -> str:
    """Return a setting in words, on one line: `idc: operations [crop, scale], scale 1.2`."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        kind = value.get("kind")
        rest = ", ".join(f"{k} {_text(v)}" for k, v in value.items() if k != "kind")
        return ": ".join(part for part in ("" if kind is None else _text(kind), rest) if part)
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_text, value))}]"
    return repr(value) if isinstance(value, float) else canonical(value).decode()
