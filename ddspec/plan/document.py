"""Plans as plain documents: works written once, then one line a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddspec.canon import Json
from ddspec.plan.admit import check_location, check_stage
from ddspec.plan.document_parts import (
    INPUTS,
    REVISIONS,
    address,
    by_likeness,
    counts_of,
    digests_of,
    facts_of,
    fields,
    group_of,
    in_full,
    presets_in,
    schedule_section,
    unlike,
    work_of,
)
from ddspec.plan.groups import Group, total
from ddspec.plan.groups import groups as groups_of
from ddspec.plan.ir import Plan, Stage, Variant, spec_digest
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.wire.work import PrepareWork


def document_of(plan: Plan, made_from: str | None) -> dict[str, Json]:
    """Return the plan as JSON values, in the order in which a reviewer reads it."""
    counted: list[Json] = [_counted(group) for group in groups_of(plan)]
    if plan.is_matrix:
        from ddspec.plan.document_matrix import matrix_document

        return matrix_document(plan, made_from, counted)
    alike: dict[str, list[Stage]] = {}
    for stage in plan:
        alike.setdefault(group_of(stage), []).append(stage)
    shared = {name: _shared(stages) for name, stages in alike.items()}
    kinds = dict.fromkeys(stage.work.kind for stage in plan)
    return {
        **({} if made_from is None else {"made_from": made_from}),
        "digests": digests_of(plan, spec_digest(plan.experiment)),
        "revisions": {kind: REVISIONS[kind] for kind in kinds},
        "spec": fields(plan.experiment),
        "protocol": fields(plan.protocol),
        "data": counts_of(plan.data),
        **schedule_section(plan),
        "counted": counted,
        "works": by_likeness(shared),
        "stages": [_line(stage, shared[group_of(stage)]) for stage in plan],
    }


def plan_of(document: Mapping[str, Any]) -> Plan:
    """Return the plan of a document.

    Raises `pydantic.ValidationError`, KeyError, TypeError or ValueError where it does not fit
    together; its keys and digests are taken as they are.
    """
    if "variants" in document:
        from ddspec.plan.document_variants import matrix_plan

        return matrix_plan(document)
    experiment = Experiment.model_validate(document["spec"])
    shared = in_full(document["works"])
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
        data=facts_of(sources[0], document["data"]),
    )
    presets = presets_in(document)
    return Plan(experiment.name, (variant,), tuple(stages.values()), presets)


def _stage(
    line: Mapping[str, Any], shared: Mapping[str, Any], before: Mapping[str, Stage], threads: int
) -> Stage:
    given = {**shared[line.get("work", address(line["label"]))], **line.get("with", {})}
    upstream: dict[str, str] = {**given.pop(INPUTS, {}), **line.get(INPUTS, {})}
    check_stage(line["label"], given["kind"], upstream)
    check_location(line.get("location", {}))
    keys = {name: before[label].key for name, label in upstream.items()}
    return Stage(
        label=line["label"],
        work=work_of(given),
        upstream=upstream,
        inputs={name: key for name, key in keys.items() if key is not None},
        key=line["key"],
        location=line.get("location", {}),
        threads=threads,
    )


def _line(stage: Stage, shared: Mapping[str, Any]) -> dict[str, Json]:
    own = unlike(fields(stage.work), shared)
    inputs = unlike(stage.upstream, shared.get(INPUTS, {}))
    return {
        "label": stage.label,
        **({"work": group_of(stage)} if group_of(stage) != address(stage.label) else {}),
        **({"with": own} if own else {}),
        **({INPUTS: inputs} if inputs else {}),
        **({"location": stage.location} if stage.location else {}),
        "key": stage.key,
    }


def _shared(stages: Sequence[Stage]) -> dict[str, Json]:
    """Return what all stages of a group have in common: fields of the work, and inputs."""
    inputs = _common([stage.upstream for stage in stages])
    return _common([fields(stage.work) for stage in stages]) | ({INPUTS: inputs} if inputs else {})


def _common(maps: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    return {
        name: value
        for name, value in maps[0].items()
        if all(name in other and other[name] == value for other in maps)
    }


def _counted(group: Group) -> dict[str, Json]:
    """Return what the stages of a group take: counted, so the same on every machine."""
    counts = {
        "stages": len(group.stages) if "@" in group.label else 0,
        "flops_each": group.flops_each,
        "parameters": max(cost.parameters for cost in group.costs),
        "memory_bytes": group.memory_bytes,
        "output_bytes": total(cost.output_bytes for cost in group.costs),
    }
    return {"label": group.label} | {name: n for name, n in counts.items() if n != 0}
