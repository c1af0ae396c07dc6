"""Plans as plain documents: works written once, then one line a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from ddspec.canon import Json, digest
from ddspec.plan.admit import check_location, check_stage
from ddspec.plan.groups import Group, total
from ddspec.plan.groups import groups as groups_of
from ddspec.plan.ir import DataFacts, Plan, Stage, Variant, spec_digest
from ddspec.spec.base import written
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.wire.work import (
    CheckpointWork,
    DistillWork,
    EvaluateWork,
    MergeWork,
    PrepareWork,
    PretrainWork,
    PruneWork,
    RelabelWork,
    SelectWork,
    SourceModel,
    Work,
)

_INPUTS = "inputs"
FIRST_ROWS = 3
"""Rows of the schedule that a reviewer sees; the rest follows from law and seed."""

WORKS: Mapping[str, type[Work]] = {
    "prepare": PrepareWork,
    "pretrain": PretrainWork,
    "checkpoint": CheckpointWork,
    "prune": PruneWork,
    "distill": DistillWork,
    "merge": MergeWork,
    "select": SelectWork,
    "relabel": RelabelWork,
    "evaluate": EvaluateWork,
}
REVISIONS: Mapping[str, int] = {
    kind: model.model_fields["revision"].default for kind, model in WORKS.items()
}
"""Of each kind of work, as this version implements it."""


def document_of(plan: Plan, made_from: str | None) -> dict[str, Json]:
    """Return the plan as JSON values, in the order in which a reviewer reads it."""
    alike: dict[str, list[Stage]] = {}
    for stage in plan:
        alike.setdefault(_group(stage), []).append(stage)
    shared = {name: _shared(stages) for name, stages in alike.items()}
    kinds = dict.fromkeys(stage.work.kind for stage in plan)
    return {
        **({} if made_from is None else {"made_from": made_from}),
        "digests": {
            "spec": spec_digest(plan.experiment),
            "protocol": digest(_fields(plan.protocol)),
            "data": plan.data.content,
        },
        "revisions": {kind: REVISIONS[kind] for kind in kinds},
        "spec": _fields(plan.experiment),
        "protocol": _fields(plan.protocol),
        "data": _counts(plan.data),
        "schedule": schedule_of(plan),
        "counted": [_counted(group) for group in groups_of(plan)],
        "works": _by_likeness(shared),
        "stages": [_line(stage, shared[_group(stage)]) for stage in plan],
    }


def plan_of(document: Mapping[str, Any]) -> Plan:
    """Return the plan of a document.

    Raises `pydantic.ValidationError`, KeyError, TypeError or ValueError where it does not fit
    together; its keys and digests are taken as they are.
    """
    experiment = Experiment.model_validate(document["spec"])
    shared = _in_full(document["works"])
    stages: dict[str, Stage] = {}
    for line in document["stages"]:
        stage = _stage(line, shared, stages, experiment.resources.threads)
        if stage.label in stages:
            raise ValueError(f"two stages are called `{stage.label}`")
        stages[stage.label] = stage
    works = [stage.work for stage in stages.values()]
    sources = [work.source for work in works if isinstance(work, PrepareWork)]
    if not sources:
        raise ValueError("no stage prepares the data")
    variant = Variant(
        name="",
        settings={},
        experiment=experiment,
        protocol=ProtocolSpec.model_validate(document["protocol"]),
        data=_facts(sources[0], document["data"]),
    )
    return Plan(experiment.name, (variant,), tuple(stages.values()))


def _stage(
    line: Mapping[str, Any], shared: Mapping[str, Any], before: Mapping[str, Stage], threads: int
) -> Stage:
    given = {**shared[line.get("work", _address(line["label"]))], **line.get("with", {})}
    upstream: dict[str, str] = {**given.pop(_INPUTS, {}), **line.get(_INPUTS, {})}
    check_stage(line["label"], given["kind"], upstream)
    check_location(line.get("location", {}))
    keys = {name: before[label].key for name, label in upstream.items()}
    return Stage(
        label=line["label"],
        work=WORKS[given["kind"]].model_validate(given),
        upstream=upstream,
        inputs={name: key for name, key in keys.items() if key is not None},
        key=line["key"],
        location=line.get("location", {}),
        threads=threads,
    )


def _line(stage: Stage, shared: Mapping[str, Any]) -> dict[str, Json]:
    own = _unlike(_fields(stage.work), shared)
    inputs = _unlike(stage.upstream, shared.get(_INPUTS, {}))
    return {
        "label": stage.label,
        **({"work": _group(stage)} if _group(stage) != _address(stage.label) else {}),
        **({"with": own} if own else {}),
        **({_INPUTS: inputs} if inputs else {}),
        **({"location": stage.location} if stage.location else {}),
        "key": stage.key,
    }


def _group(stage: Stage) -> str:
    """Return under which name a stage shares what its work has in common with others.

    One group a kind, but selections and evaluations by set and network: their protocols differ.
    """
    return _address(stage.label) if stage.work.kind in ("select", "evaluate") else stage.work.kind


def _address(label: str) -> str:
    """Return a label without its number: the group of a stage that names no other."""
    return "/".join(part for part in label.split("/") if not part.isdecimal())


def _shared(stages: Sequence[Stage]) -> dict[str, Json]:
    """Return what all stages of a group have in common: fields of the work, and inputs."""
    inputs = _common([stage.upstream for stage in stages])
    return _common([_fields(stage.work) for stage in stages]) | (
        {_INPUTS: inputs} if inputs else {}
    )


def _common(maps: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    return {
        name: value
        for name, value in maps[0].items()
        if all(name in other and other[name] == value for other in maps)
    }


def _unlike(own: Mapping[str, Json], base: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in own.items() if name not in base or base[name] != value}


def _by_likeness(groups: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """Return the groups, each as what it has besides the most similar one before it, if any.

    Only a group of the same kind whose every field is there may be referred to, as `like`.
    """
    written: dict[str, Json] = {}
    for name, group in groups.items():
        bases = {
            other: {"like": other} | _unlike(group, groups[other])
            for other in written
            if groups[other]["kind"] == group["kind"] and groups[other].keys() <= group.keys()
        }
        written[name] = min(bases.values(), key=len) if bases else group
    return written


def _in_full(shared: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for name, group in shared.items():
        base = groups[group["like"]] if "like" in group else {}
        groups[name] = {**base, **{key: value for key, value in group.items() if key != "like"}}
    return groups


def _fields(model: BaseModel) -> dict[str, Json]:
    """Return all fields but optional ones that are left out."""
    return written(model)


def _counts(data: DataFacts) -> dict[str, Json]:
    return {
        "title": data.title,
        "train": data.train,
        "validation": data.validation,
        "test": data.test,
        "smallest_class": data.smallest_class,
    }


def _counted(group: Group) -> dict[str, Json]:
    """Return what the stages of a group take: counted, so the same on every machine."""
    counts = {
        "flops_each": group.flops_each,
        "memory_bytes": group.memory_bytes,
        "output_bytes": total(cost.output_bytes for cost in group.costs),
    }
    return {"label": group.label} | {name: n for name, n in counts.items() if n != 0}


class _Counts(BaseModel):
    """What a plan file says of the number of images, for people alone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str
    train: int | None
    validation: int | None
    test: int | None
    smallest_class: int | None


def _facts(source: SourceModel, counts: Mapping[str, Any]) -> DataFacts:
    """Return the facts that the works were made from."""
    return DataFacts(
        name=source.name,
        content=source.content,
        classes=source.classes,
        size=source.size,
        channels=source.channels,
        holdout=source.holdout,
        mean=source.mean,
        std=source.std,
        **_Counts.model_validate(counts).model_dump(),
    )


def schedule_of(plan: Plan) -> dict[str, Json]:
    """Return what a reviewer wants to know of the schedule; the runner draws it again."""
    works = plan.distillation()
    schedule, stop = works[0].schedule, works[-1].stop
    rows = list(schedule.rows(0, stop))
    counts = [0] * schedule.members
    for row in rows:
        counts[row.member] += 1
    return {
        "law": _fields(schedule.perturbation),
        "seed": list(schedule.seed),
        "rows": stop,
        "rows_per_model": counts,
        "first": [row.plain() for row in rows[:FIRST_ROWS]],
        "digest": digest([row.plain() for row in rows]),
    }
