"""Settings that differ between two experiments, and how far each reaches by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from ddspec.canon import Json
from ddspec.errors import DdspecError
from ddspec.plan.category import Category, keys_of, reach
from ddspec.plan.check import check
from ddspec.plan.comparable import comparable
from ddspec.plan.compile import compile_plan, protocol_of
from ddspec.plan.findings import nowhere
from ddspec.plan.ir import Plan, Variant
from ddspec.plan.lower import lower
from ddspec.spec.experiment import Experiment

MAX_ALONE = 40
"""Settings that are tried one by one; where more differ, section by section."""

Runs: TypeAlias = Literal["", "adds runs", "removes runs"]

EXPECTED: Mapping[str, Category] = {
    "name": "cosmetic",
    "title": "cosmetic",
    "seed": "pool",
    "dataset": "protocol",
    "dataset.path": "layout",
    "dataset.train": "layout",
    "dataset.validation": "data",
    "dataset.corrupt": "data",
    "budget": "protocol",
    "network": "protocol",
    "pool": "pool",
    "imported": "pool",
    "perturbation": "distillation",
    "inner": "distillation",
    "matcher": "distillation",
    "augmentation": "pool",
    "augmentation.matching": "distillation",
    "parameterization": "distillation",
    "init": "distillation",
    "labels": "distillation",
    "labels.kind": "protocol",
    "update": "distillation",
    "loops": "distillation",
    "precision": "pool",
    "evaluate": "evaluation only",
    "evaluate.protocol": "protocol",
    "evaluate.protocol.name": "cosmetic",
    "evaluate.on": "protocol",
    "resources": "layout",
    "expect": "cosmetic",
}
"""How far a setting reaches at most, by the longest path that it lies under.

Used where a setting cannot be tried alone; what stages really do decides everywhere else.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that differs; a value is None also where the setting does not exist."""

    path: str
    before: Json
    after: Json

    @property
    def expected(self) -> Category:
        """How far it reaches at most."""
        parts = self.path.split(".")
        names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        return next((EXPECTED[name] for name in names if name in EXPECTED), "cosmetic")


@dataclass(frozen=True, slots=True)
class SettingChange(Setting):
    """A setting that differs, and what it moves by itself."""

    category: Category = "cosmetic"
    runs: Runs = ""
    """Whether it only adds outputs, or only leaves some out."""
    variants: tuple[str, ...] = ()
    """Those of a matrix that it changed in; empty without a matrix."""

    @property
    def effect(self) -> str:
        """What it moves, in words."""
        words = "protocol: numbers are no longer comparable"
        reached = words if self.category == "protocol" else self.category
        return ", ".join(part for part in (reached, self.runs) if part)


def changed_settings(before: Experiment, after: Experiment) -> tuple[Setting, ...]:
    """Return the settings that differ once defaults are filled in, in the order of a spec."""
    return differences(before.model_dump(mode="json"), after.model_dump(mode="json"))


def differences(
    before: Mapping[str, Json], after: Mapping[str, Json], prefix: str = ""
) -> tuple[Setting, ...]:
    """Return what differs, leaf by leaf; a section that is of another kind now is one leaf."""
    found: list[Setting] = []
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping) and _alike(was, now):
            found += differences(was, now, f"{prefix}{name}.")
        elif was != now:
            found.append(Setting(f"{prefix}{name}", was, now))
    return tuple(found)


def _alike(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("kind", "law"))


Pair: TypeAlias = "tuple[Variant, Variant]"
"""A variant before and after."""


def setting_changes(pairs: Iterable[Pair]) -> tuple[SettingChange, ...]:
    """Return the settings that differ in some variants, equal changes once, with what each moves.

    Each is tried alone in the first variant that it changed in: put into the experiment before,
    else, where that makes no sense, left out of the one after. What a table says counts only where
    neither is an experiment.
    """
    found: dict[str, _Alike] = {}
    for was, now in pairs:
        changed = changed_settings(was.experiment, now.experiment)
        for one in changed:
            alike = found.setdefault(repr(one), _Alike(one, changed, (was, now)))
            alike.variants += [now.name] if now.name else []
    trials = _Trials(alone=len(found) <= MAX_ALONE)
    return tuple(
        SettingChange(
            *(one.setting.path, one.setting.before, one.setting.after),
            *trials.of(one.setting, one.beside, one.pair),
            tuple(one.variants),
        )
        for one in found.values()
    )


@dataclass(slots=True)
class _Alike:
    """One change of a setting, the first variant it is in, and all of their names."""

    setting: Setting
    beside: tuple[Setting, ...]
    pair: Pair
    variants: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Trials:
    """What settings move, tried alone or, where there are many, with their section."""

    alone: bool
    sections: dict[str, tuple[Category, Runs]] = field(default_factory=dict)

    def of(self, setting: Setting, beside: Sequence[Setting], pair: Pair) -> tuple[Category, Runs]:
        tried = _tried(*pair, [setting]) if self.alone else None
        if tried is not None:
            return tried
        section = setting.path.partition(".")[0]
        if section not in self.sections:
            same = [one for one in beside if one.path.partition(".")[0] == section]
            self.sections[section] = _tried(*pair, same) or (setting.expected, "")
        return self.sections[section]


def _tried(
    before: Variant, after: Variant, settings: Sequence[Setting]
) -> tuple[Category, Runs] | None:
    """Return what some settings move alone; None where they make no sense alone."""
    forward = [(one.path, one.after) for one in settings]
    backward = [(one.path, one.before) for one in settings]
    bare = any(path.startswith("dataset.") or path == "dataset" for path, _ in forward)
    for base, values in ((before, forward), (after, backward)):
        own = _planned(base, base.experiment, bare=bare)
        changed = _changed(base.experiment, values)
        other = None if changed is None else _planned(base, changed, bare=bare)
        if own is not None and other is not None:
            pair = (own, other) if base is before else (other, own)
            reached = reach(*pair, comparable=bool(comparable(*pair)))
            return reached, "" if reached in ("cosmetic", "layout") else _runs(*pair)
    return None


def _changed(experiment: Experiment, values: Sequence[tuple[str, Json]]) -> Experiment | None:
    """Return the experiment with other values; None where it is none then."""
    document: dict[str, Any] = experiment.model_dump(mode="json")
    for path, value in values:
        *sections, last = path.split(".")
        place = document
        for section in sections:
            if not isinstance(place.get(section), dict):
                return None
            place = place[section]
        place[last] = value
    try:
        return Experiment.model_validate(document)
    except ValidationError:
        return None


def _planned(known: Variant, experiment: Experiment, *, bare: bool) -> Plan | None:
    """Return the plan of an experiment on the data of a variant, or without any lock if `bare`."""
    try:
        if bare:
            return compile_plan(experiment)
        if check(experiment, known.data, nowhere).errors:
            return None
    except DdspecError:
        return None
    protocol = protocol_of(experiment)
    variant = Variant("", {}, experiment, protocol, known.data)
    return Plan(experiment.name, (variant,), lower(experiment, protocol, known.data))


def _runs(before: Plan, after: Plan) -> Runs:
    old, new = set(keys_of(before).values()), set(keys_of(after).values())
    if old < new:
        return "adds runs"
    return "removes runs" if new < old else ""
