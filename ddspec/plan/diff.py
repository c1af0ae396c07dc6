"""What changed between two plans: settings, stages, schedule, and whether numbers still compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Literal, TypeAlias

from ddspec.plan.category import Category, keys_of, least, reach
from ddspec.plan.comparable import Comparable, comparable
from ddspec.plan.ir import Plan, Stage, Variant
from ddspec.plan.settings import (
    Setting,
    SettingChange,
    changed_settings,
    differences,
    setting_changes,
)
from ddspec.wire.work import DistillWork

Status: TypeAlias = Literal["same", "edited", "downstream", "added", "removed"]
STATUSES: tuple[Status, ...] = ("same", "edited", "downstream", "added", "removed")


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to the stage of this label."""

    label: str
    status: Status
    edits: tuple[Setting, ...] = ()
    """Fields of its work that differ; only for `edited`."""


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """How two perturbation schedules relate, in outer loops."""

    before: int
    after: int
    shared: int
    """Rows that are the same from the first on."""


NO_SCHEDULE = ScheduleChange(0, 0, 0)
"""Of plans that share no variant, or have nothing to draw."""


@dataclass(frozen=True, slots=True)
class VariantChanges:
    """What happened to the variants of a matrix, matched by name."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    same: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """All that changed from one plan to another."""

    settings: tuple[SettingChange, ...]
    changes: tuple[Change, ...]
    """In the order of the plan after, removed ones last."""
    schedule: ScheduleChange
    comparable: Comparable
    moves: Category = "cosmetic"
    """How far all of it together reaches in what is computed, whether or not numbers compare."""
    variants: VariantChanges = field(default_factory=VariantChanges)

    def __bool__(self) -> bool:
        moved = any(change.status != "same" for change in self.changes)
        return bool(self.settings) or moved or bool(self.variants)

    @property
    def category(self) -> Category:
        """How far all of it together reaches."""
        return self.moves if self.comparable else "protocol"

    @property
    def counts(self) -> dict[Status, int]:
        """How many stages have each status; zeros are left out."""
        found = Counter(change.status for change in self.changes)
        return {status: found[status] for status in STATUSES if found[status]}


def diff(before: Plan, after: Plan) -> PlanDiff:
    """Compare two plans stage by stage, and their variants by name.

    A stage whose own work differs is `edited`; one whose key moved only because something above it
    did is `downstream`. So the edited, added and removed stages are the whole cause. An output
    that the other plan makes under another label, as a merge of shards does, is `same`.
    """
    pairs = tuple(_pairs(before, after))
    moved = [pair for pair in pairs if _differs(*pair)]
    judged = Comparable()
    for was, now in moved:
        judged &= comparable(before.of(was.name), after.of(now.name))
    moves = reach(before, after)
    most = moves if judged else "protocol"
    return PlanDiff(
        # alone one may reach further, but what another makes up for does not count
        settings=tuple(
            replace(one, category=least(one.category, most)) for one in setting_changes(moved)
        ),
        changes=tuple(_changes(before, after)),
        schedule=_schedules(before, after, moved or pairs),
        comparable=judged,
        moves=moves,
        variants=_variants(before, after, pairs),
    )


def _pairs(before: Plan, after: Plan) -> Iterator[tuple[Variant, Variant]]:
    """Yield the variants of one name; a plan without a matrix pairs with the closest variant."""
    if before.is_matrix and after.is_matrix:
        old = {variant.name: variant for variant in before.variants}
        yield from ((old[now.name], now) for now in after.variants if now.name in old)
        return
    every = [(was, now) for was in before.variants for now in after.variants]
    yield min(every, key=lambda pair: len(changed_settings(*(one.experiment for one in pair))))


def _differs(was: Variant, now: Variant) -> bool:
    return (was.experiment, was.protocol, was.data) != (now.experiment, now.protocol, now.data)


def _variants(
    before: Plan, after: Plan, pairs: tuple[tuple[Variant, Variant], ...]
) -> VariantChanges:
    if not before.is_matrix and not after.is_matrix:
        return VariantChanges()
    old, new = {was.name for was, _ in pairs}, {now.name for _, now in pairs}
    return VariantChanges(
        added=tuple(one.name for one in after.variants if one.name not in new),
        removed=tuple(one.name for one in before.variants if one.name not in old),
        changed=tuple(now.name for was, now in pairs if _differs(was, now)),
        same=tuple(now.name for was, now in pairs if not _differs(was, now)),
    )


def _changes(before: Plan, after: Plan) -> Iterator[Change]:
    old = {stage.label: stage for stage in before}
    was, now = keys_of(before), keys_of(after)
    known, made = set(was.values()), set(now.values())
    for stage in after:
        if now[stage.label] in known:
            yield Change(stage.label, "same")
        elif stage.label in old:
            yield _change(old[stage.label], stage)
        else:
            yield Change(stage.label, "added")
    for label in old:
        if label not in now and was[label] not in made:
            yield Change(label, "removed")


def _change(old: Stage, new: Stage) -> Change:
    edits = differences(old.work.model_dump(mode="json"), new.work.model_dump(mode="json"))
    moved = _sources(old) != _sources(new)
    return Change(new.label, "edited" if edits or moved else "downstream", edits)


def _sources(stage: Stage) -> Mapping[str, str]:
    """Return where inputs come from, however the distilled set is cut into stages."""
    return {
        name: "distilled" if label.startswith(("distill", "merge", "import")) else label
        for name, label in stage.upstream.items()
    }


def _schedules(
    before: Plan, after: Plan, pairs: Iterable[tuple[Variant, Variant]]
) -> ScheduleChange:
    """Return how the schedules relate in the pair of variants that shares least."""
    found = [_schedule(before.of(was.name), after.of(now.name)) for was, now in pairs]
    shares = (one.shared / max(one.before, one.after, 1) for one in found)
    return min(zip(shares, found, strict=True), key=itemgetter(0), default=(0, NO_SCHEDULE))[1]


def _is_drawn(work: DistillWork) -> bool:
    """Return whether there is anything to draw: which network, or how it is perturbed."""
    return work.schedule.members > 1 or work.schedule.perturbation.kind != "none"


def _schedule(before: Plan, after: Plan) -> ScheduleChange:
    old, new = before.distillation(), after.distillation()
    if not (old and new and any(_is_drawn(works[0]) for works in (old, new))):
        return NO_SCHEDULE
    stops = old[-1].rows.stop, new[-1].rows.stop
    if old[0].schedule == new[0].schedule:
        return ScheduleChange(*stops, min(stops))
    rows = zip(old[0].schedule.rows(0, stops[0]), new[0].schedule.rows(0, stops[1]), strict=False)
    shared = next((i for i, (a, b) in enumerate(rows) if a != b), min(stops))
    return ScheduleChange(*stops, shared)


__all__ = [
    "STATUSES",
    "Change",
    "Comparable",
    "PlanDiff",
    "ScheduleChange",
    "Setting",
    "SettingChange",
    "Status",
    "VariantChanges",
    "changed_settings",
    "diff",
]
