"""Plans of several variants as plain documents: the first in full, the others by what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ddspec.canon import Json, digest
from ddspec.plan.deltas import Delta, applied, common, delta
from ddspec.plan.document_parts import (
    INPUTS,
    REVISIONS,
    address,
    by_likeness,
    counts_of,
    digests_of,
    fields,
    group_of,
    schedule_section,
)
from ddspec.plan.ir import Plan, Stage, Variant, own_label, spec_digests
from ddspec.plan.labels import folded
from ddspec.plan.variants import Made
from ddspec.spec.experiment import Experiment
from ddspec.wire.work import DistillWork

SHORT = 16
"""Characters of a key in a line; the whole key follows from the work."""
WORTH = 60
"""Characters that a reference to another stage has to save."""
MOST_ROWS = 1_000
"""Rows of a schedule that a reader draws again to know their digest."""


def matrix_document(plan: Plan, made_from: str | None, counted: Json) -> dict[str, Json]:
    """Return a plan of a matrix as JSON values, in the order in which a reviewer reads it."""
    first = plan.variants[0]
    wholes = _Wholes()
    whole = wholes.of(first)
    asked: Json = [list(pair) for pair in spec_digests(plan.variants)]
    lines = _Lines(plan)
    return {
        **({} if made_from is None else {"made_from": made_from}),
        "digests": digests_of(plan, digest(asked)),
        "revisions": {stage.work.kind: REVISIONS[stage.work.kind] for stage in plan},
        "name": plan.name,
        "axes": list(first.settings),
        "variants": list(_variant_lines(plan, wholes)),
        **whole,
        **schedule_section(plan.of(first.name)),
        "counted": counted,
        "works": by_likeness(lines.shared),
        "stages": [lines.line(stage) for stage in plan],
    }


class _Wholes:
    """Variants as documents; sections that they share are made once, and stay the same objects."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[BaseModel, dict[str, Json]]] = {}

    def of(self, variant: Variant) -> dict[str, Any]:
        """Return everything that a variant is but its name, settings and stages."""
        return {
            "spec": self._spec(variant.experiment),
            "protocol": self._fields(variant.protocol),
            "data": counts_of(variant.data),
        }

    def _spec(self, experiment: Experiment) -> dict[str, Json]:
        known = type(experiment).model_fields
        return {
            name: self._fields(value) if isinstance(value, BaseModel) else _plain(value)
            for name, value in experiment
            if value is not None or known[name].default is not None
        }

    def _fields(self, model: BaseModel) -> dict[str, Json]:
        known = self._known.get(id(model))
        if known is None:
            known = self._known[id(model)] = (model, fields(model))
        return known[1]


def _plain(value: Any) -> Json:
    if isinstance(value, tuple):
        return [fields(one) if isinstance(one, BaseModel) else _plain(one) for one in value]
    plain: Json = value
    return plain


def with_settings(whole: Mapping[str, Any], settings: Mapping[str, Json]) -> dict[str, Any]:
    """Return the document of a variant as far as its settings alone make it from the first one.

    Only settings whose place is there already; presets and sections resolve to more than they say.
    """
    changes = {f"spec.{path}": value for path, value in settings.items()}
    return applied(whole, {path: value for path, value in changes.items() if _there(whole, path)})


def _there(document: Any, path: str) -> bool:
    for step in path.split("."):
        if not isinstance(document, Mapping) or step not in document:
            return False
        document = document[step]
    return True


def own_names(labels: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the labels that name a variant, by that name, and plain ones by the empty one."""
    found: dict[str, list[str]] = {}
    for label in labels:
        found.setdefault(label.partition("@")[2], []).append(label)
    return found


def _variant_lines(plan: Plan, wholes: _Wholes) -> Iterator[Json]:
    first = wholes.of(plan.variants[0])
    axes = list(plan.variants[0].settings)
    made = Made({stage.label: stage for stage in plan})
    names = own_names(made.stages)
    seen: dict[tuple[str, ...], str] = {}
    for variant in plan.variants:
        line: dict[str, Json] = {"name": variant.name}
        settings = variant.settings
        line["settings"] = list(settings.values()) if list(settings) == axes else dict(settings)
        line |= _written(delta(with_settings(first, settings), wholes.of(variant)))
        also = tuple(_also(variant, names, made))
        if also:
            line["also"] = seen[also] if also in seen else list(also)
            seen.setdefault(also, variant.name)
        if variant.labels != made.in_order(variant.labels):
            line["order"] = folded(variant.labels)
        yield line


def _also(variant: Variant, names: Mapping[str, Sequence[str]], made: Made) -> list[str]:
    """Return the stages of a variant that its own ones do not lead to, folded."""
    told = {*made.closed([*names.get("", ()), *names.get(variant.name, ())])}
    left = [label for label in variant.labels if label not in told]
    before = {label for one in left for label in made.stages[one].upstream.values()}
    return folded(label for label in left if label not in before)


def _written(found: Delta) -> dict[str, Json]:
    return {
        **({"with": found.changes} if found.changes else {}),
        **({"without": found.gone} if found.gone else {}),
    }


class _Lines:
    """Stages as lines: each by what it has besides what is shared, or besides the one before."""

    def __init__(self, plan: Plan) -> None:
        self.full = {stage.label: _full(stage) for stage in plan}
        self.groups = {stage.label: group_of(stage) for stage in plan}
        alike: dict[str, list[dict[str, Any]]] = {}
        for label, group in self.groups.items():
            alike.setdefault(group, []).append(self.full[label])
        self.shared = {group: common(members) for group, members in alike.items()}
        self.last: dict[str, str] = {}

    def line(self, stage: Stage) -> dict[str, Json]:
        label, group, own = stage.label, self.groups[stage.label], self.full[stage.label]
        found: dict[str, Json] = _written(delta(self.shared[group], own))
        if group in self.last:
            before = self.last[group]
            other = {"like": before} | _written(delta(self.full[before], own))
            if len(json.dumps(other)) + WORTH < len(json.dumps(found)):
                found = other
        self.last[group] = label
        return {
            "label": label,
            **({"work": group} if group != address(own_label(label)) else {}),
            **found,
            **({"location": dict(stage.location)} if stage.location else {}),
            "key": None if stage.key is None else stage.key[:SHORT],
        }


def _comes_last(upstream: tuple[str, str]) -> bool:
    """Tell inputs that stages have last: one that was read may have got others behind it."""
    return upstream[0] == "previous"


def _full(stage: Stage) -> dict[str, Any]:
    """Return the fields of a stage's work and its inputs, these as in the plan of a variant."""
    variant = stage.label.partition("@")[2]
    inputs = {
        name: own_label(label) if label.partition("@")[2] == variant else label
        for name, label in sorted(stage.upstream.items(), key=_comes_last)
    }
    found = fields(stage.work) | ({INPUTS: inputs} if inputs else {})
    if isinstance(stage.work, DistillWork) and len(stage.work.rows) <= MOST_ROWS:
        del found["schedule_digest"]  # it follows from the schedule
    return found
