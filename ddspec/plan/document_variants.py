"""From the plain document of a matrix back to its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from ddspec.canon import Json
from ddspec.plan.admit import check_location, check_stage
from ddspec.plan.deltas import applied
from ddspec.plan.document_matrix import MOST_ROWS, SHORT, own_names, with_settings
from ddspec.plan.document_parts import (
    INPUTS,
    address,
    facts_of,
    identified,
    in_full,
    presets_in,
    work_of,
)
from ddspec.plan.ir import DataFacts, Plan, Stage, Variant, own_label
from ddspec.plan.keys import recomputed_keys
from ddspec.plan.labels import unfolded
from ddspec.plan.variants import Made
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.matrix_axes import MAX_VARIANTS
from ddspec.spec.method import MatcherSpec
from ddspec.spec.variant_names import NAME
from ddspec.wire.schedule import Schedule
from ddspec.wire.work import PrepareWork, SourceModel, rows_read

MATCHER: TypeAdapter[MatcherSpec] = TypeAdapter(MatcherSpec)


def matrix_plan(document: Mapping[str, Any]) -> Plan:
    """Return the plan of a matrix's document.

    Raises `pydantic.ValidationError`, KeyError, TypeError or ValueError where it does not fit
    together, or where a key does not begin as its line says.
    """
    variants = {one.name: one for one in _variants(document)}
    bare = _stages(document, variants)
    stages = _keyed(bare, [line["key"] for line in document["stages"]])
    return Plan(
        name=document["name"],
        variants=tuple(_with_labels(document, variants, stages)),
        stages=tuple(stages.values()),
        presets=presets_in(document),
    )


def _variants(document: Mapping[str, Any]) -> list[Variant]:
    lines, axes = document["variants"], document["axes"]
    if not 0 < len(lines) <= MAX_VARIANTS:
        raise ValueError(f"{len(lines):,} variants")
    first = {name: document[name] for name in ("spec", "protocol", "data")}
    made = [_variant(line, axes, first) for line in lines]
    if len({one.name for one in made}) < len(made):
        raise ValueError("two variants have the same name")
    return made


def _variant(line: Mapping[str, Any], axes: list[str], first: Mapping[str, Any]) -> Variant:
    if not NAME.fullmatch(line["name"]):
        raise ValueError(f"`{line['name']}` cannot be the name of a variant")
    given = line["settings"]
    settings: dict[str, Json] = (
        dict(given) if isinstance(given, Mapping) else dict(zip(axes, given, strict=True))
    )
    whole = applied(with_settings(first, settings), line.get("with", {}), line.get("without", ()))
    return Variant(
        name=line["name"],
        settings=settings,
        experiment=Experiment.model_validate(whole["spec"]),
        protocol=ProtocolSpec.model_validate(whole["protocol"]),
        data=_counted(whole["data"]),
    )


def _counted(counts: Mapping[str, Any]) -> DataFacts:
    """Return the counts of a dataset; what identifies it is in the stage that prepares it."""
    nothing = SourceModel(name="", content="", classes=(), size=0, channels=0, validation=0)
    return facts_of(nothing, counts)


def _stages(document: Mapping[str, Any], variants: Mapping[str, Variant]) -> list[Stage]:
    """Return the stages without keys, which follow from all that is before them."""
    shared, first = in_full(document["works"]), next(iter(variants.values()))
    full: dict[str, dict[str, Any]] = {}
    found = []
    for line in document["stages"]:
        label = line["label"]
        if label in full:
            raise ValueError(f"two stages are called `{label}`")
        base = full[line["like"]] if "like" in line else shared[_group(line)]
        full[label] = applied(base, line.get("with", {}), line.get("without", ()))
        variant = label.partition("@")[2]
        user = variants[variant] if variant else first
        found.append(_stage(line, full[label], full, user))
    return found


def _group(line: Mapping[str, Any]) -> str:
    group: str = line.get("work", address(own_label(line["label"])))
    return group


def _stage(
    line: Mapping[str, Any], full: Mapping[str, Any], before: Mapping[str, Any], user: Variant
) -> Stage:
    label = line["label"]
    given = dict(full)
    variant = label.partition("@")[2]
    upstream = {
        name: _meant(input_, variant, before) for name, input_ in given.pop(INPUTS, {}).items()
    }
    check_stage(own_label(label), given["kind"], upstream)
    check_location(line.get("location", {}))
    if given["kind"] == "distill" and "schedule_digest" not in given:
        given["schedule_digest"] = _drawn(given)
    return Stage(
        label=label,
        work=work_of(given),
        upstream=upstream,
        inputs={},
        key=None,
        location=line.get("location", {}),
        threads=user.experiment.resources.threads,
    )


def _meant(label: str, variant: str, before: Mapping[str, Any]) -> str:
    """Return the stage that an input means: the variant's own where it has one."""
    own = f"{label}@{variant}"
    return own if variant and "@" not in label and own in before else label


def _drawn(given: Mapping[str, Any]) -> str:
    matcher = MATCHER.validate_python(given["matcher"])
    rows = rows_read(matcher, given["images_per_class"], given["start"], given["stop"])
    if given["stop"] < given["start"] or len(rows) > MOST_ROWS:
        raise ValueError("a long schedule without its digest")
    return Schedule.model_validate(given["schedule"]).digest(rows.start, rows.stop)


def _keyed(bare: list[Stage], told: list[str]) -> dict[str, Stage]:
    keys = dict(recomputed_keys(bare))
    made: dict[str, Stage] = {}
    for stage, short in zip(bare, told, strict=True):
        key = keys[stage.label]
        if len(short) < SHORT or not key.startswith(short):
            raise ValueError(f"`{stage.label}` has another key than its work")
        inputs = {name: keys[label] for name, label in stage.upstream.items()}
        made[stage.label] = replace(stage, key=key, inputs=inputs)
    return made


def _with_labels(
    document: Mapping[str, Any], variants: Mapping[str, Variant], made: Mapping[str, Stage]
) -> list[Variant]:
    names, every = own_names(made), Made(made)
    also: dict[str, list[str]] = {}
    found = []
    for line in document["variants"]:
        name, given = line["name"], line.get("also", [])
        also[name] = also[given] if isinstance(given, str) else _unfolded(given, len(made))
        labels = every.closed([*names.get("", ()), *names.get(name, ()), *also[name]])
        if "order" in line:
            labels = _ordered(labels, _unfolded(line["order"], len(made)))
        data = _source(labels, made, variants[name])
        found.append(replace(variants[name], labels=labels, data=data))
    return found


def _ordered(labels: tuple[str, ...], order: list[str]) -> tuple[str, ...]:
    if set(labels) != set(order) or len(labels) < len(order):
        raise ValueError("the order of a variant's stages has other stages than it needs")
    return tuple(order)


def _unfolded(labels: list[str], most: int) -> list[str]:
    return [one for label in labels for one in unfolded(label, most)]


def _source(labels: tuple[str, ...], made: Mapping[str, Stage], variant: Variant) -> DataFacts:
    """Return what a variant knows of its dataset: from the work that prepares it, and counts."""
    works = (made[label].work for label in labels)
    source = next((work.source for work in works if isinstance(work, PrepareWork)), None)
    if source is None:
        raise ValueError(f"no stage prepares the data of `{variant.name}`")
    return identified(variant.data, source)
