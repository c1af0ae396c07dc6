"""From two plans of a spec to the report that a pull request shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ddspec.console.review import (
    MAX_ROWS,
    OURS,
    At,
    Cost,
    Costs,
    DisagreementRow,
    PlanFile,
    PolicyRow,
    Report,
    ReportStatus,
    Schedule,
    SettingRow,
    StageRow,
    Told,
    ValueRow,
    VariantRows,
    line,
)
from ddspec.console.setting_words import value_words
from ddspec.console.stage_groups import stage_groups
from ddspec.errors import Diagnostic, Place
from ddspec.plan.diff import Change, PlanDiff, SettingChange, Status, diff
from ddspec.plan.effort import Clock, Taken, effort
from ddspec.plan.ir import Plan, Stage, own_label
from ddspec.plan.past import Said
from ddspec.spec.origins import Disagreement


@dataclass(frozen=True, slots=True)
class Version:
    """One side of a spec: its plan, and where its values are written."""

    plan: Plan
    place: Callable[..., Place | None] = lambda *_: None
    """From the keys of a setting to where it is written; for a plan file, nowhere."""
    notes: Sequence[Diagnostic] = ()
    disagreements: Sequence[Disagreement] = ()
    settings: Sequence[Said] = ()
    rooted: Callable[[str], str] = str
    """From a file's name in messages to its path from the root of the repository."""

    def at(self, place: Place | None) -> At | None:
        """Return a place by its path from the root."""
        return _at(place, self.rooted)


@dataclass(frozen=True, slots=True)
class Beside:
    """What else is said of a spec."""

    was: str | None = None
    plan_file: PlanFile | None = None
    policy: Sequence[PolicyRow] = ()
    drift: Sequence[Diagnostic] = ()
    clock: Clock = field(default_factory=Clock)


def report_of(
    path: str, before: Version | None, after: Version | None, beside: Beside | None = None
) -> Report:
    """Report what happens to a spec; a side that is None does not exist."""
    beside = beside or Beside()
    now = after or before
    if now is None:
        raise ValueError("a spec that exists on neither side")
    found = diff(before.plan, after.plan) if before is not None and after is not None else None
    status: ReportStatus = "new" if before is None else "deleted" if after is None else "changed"
    rows = _stage_rows(found, now.plan, status)
    report = Report(
        path=line(path),
        status="same" if found is not None and not found else status,
        was=None if beside.was is None else line(beside.was),
        title=line(now.plan.experiment.title or ""),
        plan_before=None if before is None else before.plan.digest,
        plan_after=None if after is None else after.plan.digest,
        plan_file=beside.plan_file,
        policy=tuple(beside.policy)[:MAX_ROWS],
        notes=_told(now.notes, now) if after is not None else (),
        drift=_told(beside.drift, now),
        costs=_costs(before, after, found, beside.clock),
        counts=_counts(found, now.plan, status),
        stages=tuple(rows)[:MAX_ROWS],
        groups=len(rows),
        disagreements=tuple(_disagreement(one, now) for one in now.disagreements[:MAX_ROWS]),
        values=tuple(map(_value, now.settings))[:MAX_ROWS],
        values_resolved=len(now.settings),
    )
    if found is None or before is None or after is None:
        return report
    return report.model_copy(update=_differences(found, before, after))


def invalid(
    path: str, problems: Sequence[Diagnostic], rooted: Callable[[str], str] = str
) -> Report:
    """Report that a spec cannot be compiled, and why."""
    rows = (_row(one, _at(one.place, rooted)) for one in problems[:MAX_ROWS])
    return Report(path=line(path), status="invalid", problems=tuple(rows))


def _told(every: Sequence[Diagnostic], version: Version) -> tuple[Told, ...]:
    return tuple(_row(one, version.at(one.place)) for one in every[:MAX_ROWS])


def _row(one: Diagnostic, at: At | None) -> Told:
    return Told(message=line(one.message), hint=line(one.hint), code=line(one.code), at=at)


def _differences(found: PlanDiff, before: Version, after: Version) -> dict[str, object]:
    rows = (_setting(one, before, after) for one in found.settings[:MAX_ROWS])
    return {
        "category": found.category,
        "moves": found.moves,
        "comparable": found.comparable.facts,
        "settings": tuple(rows),
        "settings_changed": len(found.settings),
        "reused": line(_reused(found, after.plan)),
        "schedule": _schedule(found),
        "variants": _variants(found),
    }


def _setting(one: SettingChange, before: Version, after: Version) -> SettingRow:
    steps = one.path.split(".")
    was, now = value_words(one.before), value_words(one.after)
    return SettingRow(
        path=line(one.path),
        before=line(was),
        after=line(now),
        category=one.category,
        effect=one.effect,
        before_at=before.at(before.place(*steps)),
        after_at=after.at(after.place(*steps)),
        variants=len(one.variants),
    )


def _at(place: Place | None, rooted: Callable[[str], str]) -> At | None:
    """Return a place by its path from the root; presets of ours are in no repository."""
    if place is None:
        return None
    file = rooted(place.file)
    outside = PurePosixPath(file).is_absolute() or file.startswith(("..", *OURS))
    return At(file=line(file), line=place.line, column=place.column, inside=not outside)


def _schedule(found: PlanDiff) -> Schedule | None:
    one = found.schedule
    if not one.before and not one.after:
        return None
    return Schedule(before=one.before, after=one.after, shared=one.shared)


def _variants(found: PlanDiff) -> VariantRows | None:
    changes = found.variants
    if not changes and not changes.same:
        return None
    return VariantRows(
        added=tuple(map(line, changes.added[:MAX_ROWS])),
        removed=tuple(map(line, changes.removed[:MAX_ROWS])),
        changed=tuple(map(line, changes.changed[:MAX_ROWS])),
        counts={
            "added": len(changes.added),
            "removed": len(changes.removed),
            "changed": len(changes.changed),
            "same": len(changes.same),
        },
    )


def _counts(found: PlanDiff | None, plan: Plan, status: ReportStatus) -> dict[Status, int]:
    if found is not None:
        return found.counts
    return {"added" if status == "new" else "removed": len(plan.stages)}


def _stage_rows(found: PlanDiff | None, plan: Plan, status: ReportStatus) -> list[StageRow]:
    if found is None:
        only: Status = "added" if status == "new" else "removed"
        moved, settings = [Change(stage.label, only) for stage in plan], []
    else:
        moved, settings = list(found.changes), [one.path for one in found.settings]
    return [
        StageRow(status=one.status, label=line(one.label), stages=one.stages, cause=line(one.cause))
        for one in stage_groups(moved, settings)
    ]


def _reused(found: PlanDiff, plan: Plan) -> str:
    """Return which expensive outputs stay, in a sentence."""
    same = {change.label for change in found.changes if change.status == "same"}
    moved = len(same) < len(found.changes)
    pool = sum(stage.label.startswith("pool/") and stage.label in same for stage in plan)
    judged = {stage.upstream.get("set", "") for stage in plan if _judges_distilled(stage)}
    words = [
        f"the {pool} networks" if pool > 1 else "the network" if pool else "",
        "the distilled set" if judged and judged <= same else "",
        "the baselines" if any(map(_is_baseline, same)) else "",
    ]
    said = [word for word in words if word]
    if not said or not moved:
        return ""
    joined = " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
    singular = len(said) == 1 and not said[0].endswith("s")
    sentence = f"{joined} {'is' if singular else 'are'} reused."
    return sentence[0].upper() + sentence[1:]


def _judges_distilled(stage: Stage) -> bool:
    return stage.work.kind == "evaluate" and not _is_baseline(stage.label)


def _is_baseline(label: str) -> bool:
    parts = own_label(label).split("/")  # evaluate[/SET]/NETWORK/REPEAT
    return parts[0] == "evaluate" and len(parts) > 3


def _costs(
    before: Version | None, after: Version | None, found: PlanDiff | None, clock: Clock
) -> Costs:
    was, now = (None if one is None else one.plan for one in (before, after))
    all_of_it = effort(was, now, found, clock)
    return Costs(
        device=None if clock.device is None else line(clock.device.name),
        before=_cost(all_of_it.before),
        after=_cost(all_of_it.after),
        new=_cost(all_of_it.new),
    )


def _cost(taken: Taken | None) -> Cost | None:
    if taken is None:
        return None
    span = taken.device_seconds
    return Cost(
        gpu_seconds=None if span is None else (span.low_s, span.high_s),
        flops=taken.flops,
        memory_bytes=taken.memory_bytes,
        disk_bytes=taken.disk_bytes,
    )


def _disagreement(one: Disagreement, version: Version) -> DisagreementRow:
    return DisagreementRow(
        setting=line(one.setting),
        paper=line(one.paper),
        code=line(one.code),
        takes=one.takes,
        why=line(one.why),
        at=version.at(one.place),
        overridden=one.overridden is not None,
    )


def _value(one: Said) -> ValueRow:
    origin = f"{one.where} · {one.note}" if one.note else one.where
    return ValueRow(path=line(one.path), value=line(value_words(one.value)), origin=line(origin))
