"""What plans of one experiment and of a matrix have in common as plain documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from ddspec.canon import Digest, Json, digest
from ddspec.plan.ir import DataFacts, Plan, Stage, own_label
from ddspec.spec.base import written
from ddspec.wire.work import (
    CheckpointWork,
    DistillWork,
    EvaluateWork,
    ImportWork,
    MergeWork,
    PrepareWork,
    PretrainWork,
    PruneWork,
    RelabelWork,
    RoundWork,
    SelectWork,
    SourceModel,
    Work,
)

INPUTS = "inputs"
"""Where the inputs of a stage stand beside the fields of its work."""
FIRST_ROWS = 3
"""Rows of the schedule that a reviewer sees; the rest follows from law and seed."""

WORKS: Mapping[str, type[Work]] = {
    "prepare": PrepareWork,
    "pretrain": PretrainWork,
    "checkpoint": CheckpointWork,
    "prune": PruneWork,
    "distill": DistillWork,
    "import": ImportWork,
    "merge": MergeWork,
    "round": RoundWork,
    "select": SelectWork,
    "relabel": RelabelWork,
    "evaluate": EvaluateWork,
}
REVISIONS: Mapping[str, int] = {
    kind: model.model_fields["revision"].default for kind, model in WORKS.items()
}
"""Of each kind of work, as this version implements it."""


def group_of(stage: Stage) -> str:
    """Return under which name a stage shares what its work has in common with others.

    One group a kind, but selections and evaluations by set and network: their protocols differ.
    The network that images are chosen by stands beside the selections, not in a pool.
    """
    label = own_label(stage.label)
    return address(label) if label.startswith(("select/", "evaluate/")) else stage.work.kind


def address(label: str) -> str:
    """Return a label without its number: the group of a stage that names no other."""
    return "/".join(part for part in label.split("/") if not part.isdecimal())


def fields(model: BaseModel) -> dict[str, Json]:
    """Return all fields but optional ones that are left out."""
    return written(model)


def counts_of(data: DataFacts) -> dict[str, Json]:
    """Return what is told of the number of images, for people."""
    return {
        "title": data.title,
        "train": data.train,
        "validation": data.validation,
        "test": data.test,
        "smallest_class": data.smallest_class,
    }


class _Counts(BaseModel):
    """What a plan file says of the number of images, for people alone."""

    model_config = ConfigDict(extra="ignore", strict=True)

    title: str
    train: int | None
    validation: int | None
    test: int | None
    smallest_class: int | None


def facts_of(source: SourceModel, counts: Mapping[str, Any]) -> DataFacts:
    """Return the facts that the works were made from."""
    return DataFacts(**_identity(source), **_Counts.model_validate(counts).model_dump())


def identified(counts: DataFacts, source: SourceModel) -> DataFacts:
    """Return what is known of a dataset by number, with what works say that it is."""
    return replace(counts, **_identity(source))


def _identity(source: SourceModel) -> dict[str, Any]:
    return {
        "name": source.name,
        "content": source.content,
        "classes": source.classes,
        "size": source.size,
        "channels": source.channels,
        "holdout": source.holdout,
        "mean": source.mean,
        "std": source.std,
    }


def schedule_section(plan: Plan) -> dict[str, Json]:
    """Return the section of a plan file about its schedule; none where nothing is distilled."""
    return {"schedule": schedule_of(plan)} if plan.distillation() else {}


def schedule_of(plan: Plan) -> dict[str, Json]:
    """Return what a reviewer wants to know of the schedule; the runner draws it again."""
    works = plan.distillation()
    schedule, stop = works[0].schedule, works[-1].rows.stop
    rows = list(schedule.rows(0, stop))
    counts = [0] * schedule.members
    for row in rows:
        counts[row.member] += 1
    return {
        "law": fields(schedule.perturbation),
        "seed": list(schedule.seed),
        "rows": stop,
        "rows_per_model": counts,
        "first": [row.plain() for row in rows[:FIRST_ROWS]],
        "digest": digest([row.plain() for row in rows]),
    }


def unlike(own: Mapping[str, Json], base: Mapping[str, Json]) -> dict[str, Json]:
    """Return the fields that a base does not have, or has otherwise."""
    return {name: value for name, value in own.items() if name not in base or base[name] != value}


def by_likeness(groups: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """Return the groups, each as what it has besides the most similar one before it, if any.

    Only a group of the same kind whose every field is there may be referred to, as `like`.
    """
    found: dict[str, Json] = {}
    for name, group in groups.items():
        bases = {
            other: {"like": other} | unlike(group, groups[other])
            for other in found
            if groups[other]["kind"] == group["kind"] and groups[other].keys() <= group.keys()
        }
        found[name] = min(bases.values(), key=len) if bases else group
    return found


def in_full(shared: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the groups that `by_likeness` shortened."""
    groups: dict[str, dict[str, Any]] = {}
    for name, group in shared.items():
        base = groups[group["like"]] if "like" in group else {}
        groups[name] = {**base, **{key: value for key, value in group.items() if key != "like"}}
    return groups


def digests_of(plan: Plan, asked: Digest) -> dict[str, Json]:
    """Return what a plan was made from, in digests; `asked` is that of the spec as resolved."""
    return {
        "spec": asked,
        "protocol": digest(fields(plan.protocol)),
        "data": plan.data.content,
        **({"presets": dict(plan.presets)} if plan.presets else {}),
    }


def presets_in(document: Mapping[str, Any]) -> dict[str, Digest]:
    """Return the digests of presets that a document names; TypeError where they are no texts."""
    presets = document["digests"].get("presets", {})
    if not all(isinstance(one, str) for pair in presets.items() for one in pair):
        raise TypeError("digests of presets are texts")
    return dict(presets)


def work_of(given: Mapping[str, Any]) -> Work:
    """Return the work of its fields; KeyError for a kind that this version does not know."""
    return WORKS[given["kind"]].model_validate(given)
