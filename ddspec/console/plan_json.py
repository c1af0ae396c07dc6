"""A plan for review as one JSON object, for programs."""

from __future__ import annotations

from ddspec.canon import Json
from ddspec.console.disagreements_view import disagreements_json
from ddspec.console.overview import Overview
from ddspec.console.values_view import values_json
from ddspec.console.why_view import reason_json
from ddspec.errors import Diagnostic
from ddspec.plan.document import document_of

PLAN_JSON_FORMAT = "ddspec.plan-view/1"


def plan_json(overview: Overview) -> dict[str, Json]:
    """Return the plan as one JSON object: the plan file's content, and what is only for viewing."""
    plan = overview.plan
    shown = ("digests", "revisions", "spec", "protocol", "data", "schedule")
    document = document_of(plan, None)
    return {
        "format": PLAN_JSON_FORMAT,
        "name": plan.name,
        "plan": plan.digest,
        "locked": plan.locked,
        **{name: document[name] for name in shown if name in document},
        "stages": _stages(overview),
        "forecast": None if overview.forecast is None else overview.forecast.plain(overview.gpus),
        "settings": values_json(overview.settings),
        "disagreements": disagreements_json(overview.disagreements),
        "missing_parts": [
            {"part": one.part, "why": one.why, "stages": list(one.labels)}
            for one in overview.missing
        ],
        "notes": [note_json(note) for note in overview.notes],
        "drift": [{"part": one.part, "message": one.message} for one in overview.drift],
        "policy": _policy(overview),
    }


def _policy(overview: Overview) -> Json:
    if not overview.verdicts:
        return None
    from ddspec.console.policy_view import verdicts_json

    return verdicts_json(overview.verdicts)


def _stages(overview: Overview) -> list[Json]:
    costs = overview.costs
    stages: list[Json] = []
    for stage in overview.plan:
        cost, reason = costs[stage.label], overview.reasons.get(stage.label)
        stages.append(
            {
                "label": stage.label,
                "kind": stage.work.kind,
                "key": stage.key,
                "inputs": dict(stage.upstream),
                "flops": cost.flops,
                "parameters": cost.parameters,
                "memory_bytes": cost.memory_bytes,
                "output_bytes": cost.output_bytes,
                "in_store": None if reason is None else reason.state == "in store",
                "why": None if overview.why is None else reason_json(overview.why, stage),
            }
        )
    return stages


def note_json(note: Diagnostic) -> dict[str, Json]:
    """Return a note with its place, for an annotation."""
    place = note.place
    return {
        "code": note.code,
        "message": note.message,
        "hint": note.hint,
        "file": None if place is None else place.file,
        "line": None if place is None else place.line or None,
    }
