"""What changed between two plans: settings, stages, schedule, and whether numbers still compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Plan, Stage
from ddspec.plan.keys import recomputed_keys
from ddspec.spec.experiment import Experiment
from ddspec.wire.work import EvaluateWork, PrepareWork

Status: TypeAlias = Literal["same", "edited", "downstream", "added", "removed"]
STATUSES: tuple[Status, ...] = ("same", "edited", "downstream", "added", "removed")

EFFECTS: Mapping[str, str] = {
    "name": "none",
    "title": "none",
    "seed": "everything but the data",
    "dataset": "everything",
    "dataset.path": "none, a location",
    "dataset.train": "none, a location",
    "budget": "distillation, baselines",
    "network": "pool, distillation",
    "pool": "pool, distillation",
    "perturbation": "distillation",
    "inner": "distillation",
    "matcher": "distillation",
    "augmentation.matching": "distillation",
    "augmentation.training": "pool, distillation",
    "augmentation.cutmix": "pool, distillation",
    "parameterization": "distillation",
    "init": "distillation",
    "update": "distillation",
    "loops": "distillation",
    "loops.snapshots": "how distillation is cut into segments",
    "precision": "everything but the data",
    "evaluate": "evaluation only",
    "evaluate.repeats": "evaluation only, number of runs",
    "evaluate.baselines": "evaluation only, number of runs",
    "resources": "layout only",
    "expect": "none",
}
"""What a setting bears on, by the longest path that it lies under."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that differs; a value is None also where the setting does not exist."""

    path: str
    before: Json
    after: Json

    @property
    def effect(self) -> str:
        """What the setting bears on."""
        parts = self.path.split(".")
        names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        return next((EFFECTS[name] for name in names if name in EFFECTS), "none")


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


@dataclass(frozen=True, slots=True)
class Comparable:
    """Whether accuracies of both plans may be compared, and what speaks against it."""

    protocol: bool
    test_set: bool
    networks: bool
    """Some network judges in both."""
    labels: bool = True
    """Both sets have hard labels, the only kind there is."""

    def __bool__(self) -> bool:
        return self.protocol and self.test_set and self.networks and self.labels


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """All that changed from one plan to another."""

    settings: tuple[Setting, ...]
    changes: tuple[Change, ...]
    """In the order of the plan after, removed ones last."""
    schedule: ScheduleChange
    comparable: Comparable

    def __bool__(self) -> bool:
        return bool(self.settings) or any(change.status != "same" for change in self.changes)

    @property
    def counts(self) -> dict[Status, int]:
        """How many stages have each status; zeros are left out."""
        found = Counter(change.status for change in self.changes)
        return {status: found[status] for status in STATUSES if found[status]}


def diff(before: Plan, after: Plan) -> PlanDiff:
    """Compare two plans stage by stage.

    A stage whose own work differs is `edited`; one whose key moved only because something above it
    did is `downstream`. So the edited, added and removed stages are the whole cause. An output
    that the other plan makes under another label, as a merge of shards does, is `same`.
    """
    return PlanDiff(
        settings=changed_settings(before.experiment, after.experiment),
        changes=tuple(_changes(before, after)),
        schedule=_schedules(before, after),
        comparable=_comparable(before, after),
    )


def changed_settings(before: Experiment, after: Experiment) -> tuple[Setting, ...]:
    """Return the settings that differ once defaults are filled in, in the order of a spec."""
    return _differences(before.model_dump(mode="json"), after.model_dump(mode="json"))


def _changes(before: Plan, after: Plan) -> Iterator[Change]:
    old = {stage.label: stage for stage in before}
    was, now = _keys(before), _keys(after)
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


def _keys(plan: Plan) -> dict[str, Digest]:
    """Return key by label; without a data lock, keys that serve for comparing alone."""
    if plan.locked:
        return {stage.label: stage.key or "" for stage in plan}
    return dict(recomputed_keys(plan.stages))


def _change(old: Stage, new: Stage) -> Change:
    edits = _differences(old.work.model_dump(mode="json"), new.work.model_dump(mode="json"))
    moved = _sources(old) != _sources(new)
    return Change(new.label, "edited" if edits or moved else "downstream", edits)


def _sources(stage: Stage) -> dict[str, str]:
    """Return where inputs come from, however the distilled set is cut into stages."""
    return {
        name: "distilled" if label.startswith(("distill", "merge")) else label
        for name, label in stage.upstream.items()
    }


def _differences(
    before: Mapping[str, Json], after: Mapping[str, Json], prefix: str = ""
) -> tuple[Setting, ...]:
    """Return what differs, leaf by leaf; a section that is of another kind now is one leaf."""
    found: list[Setting] = []
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping) and _alike(was, now):
            found += _differences(was, now, f"{prefix}{name}.")
        elif was != now:
            found.append(Setting(f"{prefix}{name}", was, now))
    return tuple(found)


def _alike(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    return one.get("kind") == other.get("kind")


def _schedules(before: Plan, after: Plan) -> ScheduleChange:
    old, new = before.distillation(), after.distillation()
    stops = old[-1].stop, new[-1].stop
    shared = 0
    if old[0].schedule == new[0].schedule:
        shared = min(stops)
    else:
        pairs = zip(
            old[0].schedule.rows(0, stops[0]), new[0].schedule.rows(0, stops[1]), strict=False
        )
        shared = next((i for i, (a, b) in enumerate(pairs) if a != b), min(stops))
    return ScheduleChange(*stops, shared)


def _comparable(before: Plan, after: Plan) -> Comparable:
    protocols = [plan.protocol.model_dump(exclude={"name"}) for plan in (before, after)]
    return Comparable(
        protocol=protocols[0] == protocols[1],
        test_set=_test_set(before) == _test_set(after),
        networks=bool(_judges(before) & _judges(after)),
    )


def _judges(plan: Plan) -> set[str]:
    works = (stage.work for stage in plan)
    return {work.network.model_dump_json() for work in works if isinstance(work, EvaluateWork)}


def _test_set(plan: Plan) -> Json:
    """Return what decides on which images accuracy is measured, and how they are prepared."""
    split = plan.experiment.evaluate.on
    work = next(
        stage.work
        for stage in plan
        if isinstance(stage.work, PrepareWork) and stage.work.split == split
    )
    # What is held out for choices moves published test images no more than it moves statistics.
    fields = {"validation"} if split == "test" else set[str]()
    return [split, work.source.model_dump(mode="json", exclude=fields)]
