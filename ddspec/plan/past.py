"""What a run was asked to do, as a small document: the old side of every "why".

A record holds works and inputs by label and key, and each setting with the place where it was
written. It is read leniently: what it says explains, and decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ddspec.canon import Digest, Json, canonical, digest
from ddspec.plan.ir import Plan

PAST_FORMAT = "ddspec.planned/1"


@dataclass(frozen=True, slots=True)
class Said:
    """A resolved setting, and where its value comes from."""

    path: str
    """Dotted: `pool.epochs`."""
    value: Json
    where: str
    """`specs/x.yaml:12`, or what stands for a place: `default`."""
    note: str = ""
    """What the source says of itself: `preset acc_dd: IDC code, 4.1`."""


@dataclass(frozen=True, slots=True)
class PastStage:
    """One stage as a run was asked for it."""

    label: str
    key: Digest
    work: Mapping[str, Json]
    inputs: Mapping[str, str]
    """Input name to the label of the stage that makes it."""


@dataclass(frozen=True, slots=True)
class Past:
    """What one run was asked to do."""

    time: float
    """Seconds since 1970."""
    plan: Digest
    stages: Mapping[str, PastStage] = field(repr=False)
    settings: Mapping[str, Said] = field(repr=False)
    """By path; of a matrix, those of the first variant."""
    variants: Mapping[str, Mapping[str, Json]] = field(default_factory=dict, repr=False)
    """What a matrix sets for each of its variants."""


def mark_of(plan: Plan, settings: Sequence[Said]) -> Digest:
    """Return a digest that tells one request from another: the plan, and where it was written."""
    return digest([plan.digest, [[one.path, one.where] for one in settings]])


def encode(plan: Plan, settings: Iterable[Said], time: float) -> bytes:
    """Return the record of a plan whose every stage has a key; equal values are written once."""
    values = _Values()
    works = _Values()
    inputs = _Values()
    stages: list[Json] = []
    for stage in plan:
        work = stage.work.model_dump(mode="json", exclude_none=True)
        fields: Json = {name: values.number(value) for name, value in work.items()}
        numbers = [works.number(fields), inputs.number(dict(stage.upstream))]
        stages.append([stage.label, stage.key, *numbers])
    body: Json = {
        "format": PAST_FORMAT,
        "time": round(time, 3),
        "plan": plan.digest,
        "settings": [[one.path, one.value, one.where] for one in settings],
        "variants": {one.name: dict(one.settings) for one in plan.variants if one.name},
        "values": values.all,
        "works": works.all,
        "inputs": inputs.all,
        "stages": stages,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(content: bytes) -> Past | None:
    """Return what a record says; None where it is damaged or of another format."""
    try:
        plain = json.loads(content)
        return _past(plain) if plain["format"] == PAST_FORMAT else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _past(plain: Mapping[str, Any]) -> Past:
    values, works, inputs = plain["values"], plain["works"], plain["inputs"]
    stages = {
        str(label): PastStage(
            str(label),
            str(key),
            {str(name): values[number] for name, number in works[work].items()},
            {str(name): str(above) for name, above in inputs[given].items()},
        )
        for label, key, work, given in plain["stages"]
    }
    settings = {
        str(path): Said(str(path), value, str(where)) for path, value, where in plain["settings"]
    }
    variants = {str(name): dict(one) for name, one in plain["variants"].items()}
    return Past(float(plain["time"]), str(plain["plan"]), stages, settings, variants)


class _Values:
    """Values that are numbered as they first appear."""

    def __init__(self) -> None:
        self.all: list[Json] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, value: Json) -> int:
        """Return the number of a value, a new one for a new value."""
        known = canonical(value)
        if known not in self._numbers:
            self._numbers[known] = len(self.all)
            self.all.append(value)
        return self._numbers[known]
