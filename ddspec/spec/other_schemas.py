"""Schemas of the other documents that people meet: policies, and plan files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddspec.spec.experiment import Experiment
from ddspec.spec.policy import Policy
from ddspec.spec.schema import LAYER, described_schema, reachable

_SHA = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_SECTION = {"type": "object"}
_LIST = {"type": "array"}

PLAN_KEYS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "format": ("What this file is.", {"const": "ddspec.plan/1"}),
    "minor": ("Additions of the format that a reader may pass over.", {"type": "integer"}),
    "plan": ("Name of the plan: digest of labels, keys and the spec as resolved.", _SHA),
    "checksum": ("Digest of everything below; a plan that was edited is refused.", _SHA),
    "made_from": ("The spec, seen from this file.", {"type": "string"}),
    "digests": ("What the plan follows from: spec, protocol, data, presets.", _SECTION),
    "revisions": ("Of each kind of work; a version that has others refuses the plan.", _SECTION),
    "name": ("Of the spec, where it has a matrix.", {"type": "string"}),
    "axes": ("Settings that the matrix varies, as dotted paths.", _LIST),
    "variants": ("One line a variant: its settings, and what else differs.", _LIST),
    "spec": ("The experiment as resolved; of a matrix, the first one.", {}),
    "protocol": ("How networks are trained before they are tested.", {}),
    "data": ("What is known of the dataset, for people.", _SECTION),
    "schedule": ("Law, seed, counts and first rows; the runner draws it again.", _SECTION),
    "counted": ("Operations, parameters, bytes and memory by group of stages.", _LIST),
    "works": ("What stages of a group have in common, written once.", _SECTION),
    "stages": ("One line a stage: label, key, inputs, and what is its own.", _LIST),
}


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan file; newer minor formats may have further keys."""
    made = described_schema(Experiment)
    refs = {"spec": "Experiment", "protocol": "ProtocolSpec"}
    properties = {
        key: {"title": key, "description": text, **shape}
        for key, (text, shape) in PLAN_KEYS.items()
    }
    for key, name in refs.items():
        # optional settings that are not set are left out
        properties[key]["$ref"] = f"#/$defs/{name}{LAYER}"
    required = ["format", "plan", "checksum", "digests", "revisions", "spec", "works", "stages"]
    schema = {
        "$schema": made["$schema"],
        "title": "ddspec plan",
        "description": "What `ddspec run` will do; written by `ddspec plan SPEC -o FILE`.",
        "type": "object",
        "required": required,
        "properties": properties,
        "$defs": made["$defs"],
    }
    return reachable(schema)


def policy_schema(names: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the JSON Schema of a policy; `names` offers those of each thing that a rule names."""
    made = described_schema(Policy)
    defs = made["$defs"]
    root = defs.pop(Policy.__name__)
    for rule, known in names.items():
        properties = (root if rule == "device" else defs[rule])["properties"]
        for key in ("allow", "device"):
            if key in properties:
                _offer(properties[key], known)
    if "device" in names:
        _offer(defs["GpuHoursRule"]["properties"]["device"], names["device"])
    return reachable({"$schema": made["$schema"], **root, "$defs": defs})


def _offer(shape: dict[str, Any], names: Sequence[str]) -> None:
    """Allow these names only."""
    if "items" in shape:
        shape["items"] = {"enum": list(names)}
    else:
        shape.pop("pattern", None)
        shape["enum"] = [*names, None]
