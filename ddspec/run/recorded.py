"""Results of a finished plan that are committed beside its spec, and whether they still are of it.

What `ddspec results --json` prints, and besides who made it, when, by which command, and what was
asked for then, so that a later reader sees which settings have moved since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Plan, own_label
from ddspec.plan.leaves import leaves
from ddspec.run.measured import Head, Rows, read_form, refused, score_of
from ddspec.run.scores import Score
from ddspec.run.witness import Witness

FORMAT = "ddspec.results/1"
AGAIN = "`ddspec gallery --record SPEC`"
UNASKED = {"name", "title", "expect"}
"""What a spec says that no result depends on."""
PATHS = ("images", "set", "card", "labels")
"""Where files lie on the machine that printed results."""


class _Lenient(BaseModel):
    """Further keys are for people and other readers."""

    model_config = ConfigDict(frozen=True, strict=True)


class _Variant(_Lenient):
    name: str
    results: Rows


class _Stage(_Lenient):
    label: str
    key: Digest
    seconds: Annotated[float, Field(ge=0)] | None = None


class _Made(_Lenient):
    command: str
    devices: list[str]
    dates: Annotated[list[str], Field(min_length=1)]
    torch: list[str] = []


class _Asked(_Lenient):
    common: dict[str, JsonValue]
    variants: dict[str, dict[str, JsonValue]]


class _Document(Head):
    plan: Digest
    results: Rows | None = None
    variants: list[_Variant] | None = None
    stages: list[_Stage]
    made: _Made
    asked: _Asked


@dataclass(frozen=True, slots=True)
class Record:
    """What was measured of a plan, all of it."""

    plan: Digest
    scores: Mapping[str, tuple[Score, ...]]
    """By variant; the only name is empty without a matrix."""
    seconds: float | None
    """Working time of all stages together; None where it is not known of one."""
    keys: Mapping[str, Digest]
    """Of its stages, by label."""
    devices: tuple[str, ...]
    dates: tuple[str, ...]
    asked: Mapping[str, Mapping[str, Json]]
    """By variant, every setting by its path."""

    @property
    def metrics(self) -> dict[Digest, dict[str, JsonValue]]:
        """Return the accuracies by the key of their evaluation, as a store tells them."""
        return {
            key: {"accuracy": accuracy}
            for scores in self.scores.values()
            for score in scores
            for key, accuracy in zip(score.keys, score.accuracies, strict=False)
        }


def recorded_json(
    results: Mapping[str, Json], plan: Plan, witness: Witness, command: str
) -> dict[str, Json]:
    """Return results as they are committed: without the paths of a machine, with their origin."""
    known = {name: value for name, value in results.items() if name not in PATHS}
    if isinstance(variants := known.get("variants"), list):
        known["variants"] = [_without_paths(one) for one in variants]
    made: dict[str, Json] = {
        "command": command,
        "devices": list(witness.devices),
        "dates": list(witness.dates),
        "torch": list(witness.versions),
    }
    return {**known, "made": made, "asked": _asked(plan)}


def _without_paths(variant: Json) -> Json:
    if not isinstance(variant, Mapping):
        return variant
    return {name: value for name, value in variant.items() if name not in PATHS}


def settings(plan: Plan) -> dict[str, dict[str, Json]]:
    """Return what each variant of a plan asks for, by dotted path."""
    return {
        one.name: dict(
            leaves(one.experiment.model_dump(mode="json", exclude_none=True, exclude=UNASKED))
        )
        for one in plan.variants
    }


def _asked(plan: Plan) -> Json:
    by_variant = settings(plan)
    first, *others = by_variant.values()
    common = {
        path: value
        for path, value in first.items()
        if all(path in other and other[path] == value for other in others)
    }
    own: dict[str, Json] = {
        name: {path: value for path, value in one.items() if path not in common}
        for name, one in by_variant.items()
    }
    return {"common": common, "variants": own}


def read_record(path: Path) -> Record:
    """Read committed results; `DdspecError` (exit 3) where they are damaged or something else."""
    found = read_form(path, _Document, formats=(FORMAT,), again=AGAIN)
    if (found.results is None) == (found.variants is None):
        raise refused(path, ["it has neither `results` nor `variants`, or both"], AGAIN)
    rows = {"": found.results or []}
    if found.variants is not None:
        rows = {one.name: one.results for one in found.variants}
    seconds = [one.seconds for one in found.stages]
    return Record(
        plan=found.plan,
        scores={name: tuple(map(score_of, some)) for name, some in rows.items()},
        seconds=None if None in seconds else sum(one for one in seconds if one is not None),
        keys={one.label: one.key for one in found.stages},
        devices=tuple(found.made.devices),
        dates=tuple(found.made.dates),
        asked={name: {**found.asked.common, **own} for name, own in found.asked.variants.items()},
    )


def moved(record: Record, plan: Plan) -> tuple[str, ...]:
    """Return in words what is otherwise in a plan than in the one that was measured.

    Nothing where it is the very same plan.
    """
    if record.plan == plan.digest:
        return ()
    told = list(dict.fromkeys(_moved_settings(record.asked, settings(plan))))
    if told:
        return tuple(told)
    now = {stage.label: stage.key for stage in plan}
    labels = [label for label in {**now, **record.keys} if now.get(label) != record.keys.get(label)]
    kinds = dict.fromkeys(own_label(label).partition("/")[0] for label in labels)
    return (f"no setting, but what stages compute: {', '.join(kinds) or 'their labels'}",)


def _moved_settings(
    before: Mapping[str, Mapping[str, Json]], after: Mapping[str, Mapping[str, Json]]
) -> Iterator[str]:
    yield from (f"variant `{name}` is new" for name in after if name not in before)
    yield from (f"variant `{name}` is gone" for name in before if name not in after)
    for name, now in after.items():
        was = before.get(name, now)
        for path in dict.fromkeys([*now, *was]):
            if was.get(path) != now.get(path):
                yield f"`{path}` was {_shown(was.get(path))}, is {_shown(now.get(path))}"


def _shown(value: Json) -> str:
    if value is None:
        return "not set"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
