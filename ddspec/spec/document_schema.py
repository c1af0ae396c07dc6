"""The schema of a whole spec file: an experiment, or layers that add up to one, or many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddspec.spec.experiment import Experiment
from ddspec.spec.matrix_schema import matrix_definitions
from ddspec.spec.schema import LAYER, Choice, described_schema, reachable

ROOT = "Experiment"
TITLE = "ddspec spec"
DESCRIPTION = "What is distilled, how, and how the result is judged; `ddspec plan` compiles it."

FROM_PRESET = ("name", "dataset", "budget")
"""What a spec with a preset still has to say."""
FROM_PARENT = ("name",)
"""What a spec that extends another one, or spans a matrix, still has to say."""


def spec_schema(presets: Sequence[Choice] = (), protocols: Sequence[Choice] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a spec file, offering the presets and protocols that are given."""
    made = described_schema(Experiment, protocols)
    defs = made["$defs"]
    plain, layered = defs.pop(ROOT), defs.pop(ROOT + LAYER)
    extra = _layering(presets)
    every = {**plain["properties"], **extra}
    defs["Spec"] = _root(every, plain["required"])
    defs["Layered"] = _root({**layered["properties"], **extra}, FROM_PARENT)
    defs |= matrix_definitions(defs, "Layered")
    defs["Layered"]["allOf"] = [
        {
            "if": {"not": {"anyOf": [{"required": ["extends"]}, {"required": ["matrix"]}]}},
            "then": {"required": list(FROM_PRESET)},
        }
    ]
    layers = [{"required": [key]} for key in ("preset", "extends", "matrix")]
    schema = {
        "$schema": made["$schema"],
        "title": TITLE,
        "description": DESCRIPTION,
        "type": "object",
        "if": {"anyOf": layers},
        "then": {"$ref": "#/$defs/Layered"},
        "else": {"$ref": "#/$defs/Spec"},
        "examples": [
            {
                "name": "mine",
                "preset": "acc_dd",
                "dataset": {"kind": "cifar10"},
                "budget": {"images_per_class": 10},
            }
        ],
        "$defs": defs,
    }
    return reachable(schema)


def _root(properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    return {
        "title": TITLE,
        "description": DESCRIPTION,
        "type": "object",
        "required": list(required),
        "properties": dict(properties),
        "additionalProperties": False,
    }


# --- the keys that are resolved away --------------------------------------------------------------


def _layering(presets: Sequence[Choice]) -> dict[str, Any]:
    return {
        "preset": _preset(presets),
        "extends": {
            "title": "extends: a path, or a list of paths",
            "description": "Specs that this one starts from, relative to this file and inside the "
            "repository; of several the later one wins, and this file over all. Name, title, "
            "expectations, matrix and replicates are not inherited.",
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
            ],
            "examples": ["base.yaml"],
        },
        "matrix": {
            "title": "matrix: axes by the dotted path of a setting",
            "description": "Compiles one spec into variants: the product of the axes, less "
            "`exclude`, plus `include`. Stages that variants share appear and run once.",
            "$ref": "#/$defs/Matrix",
        },
        "replicates": {
            "title": "replicates: a number",
            "description": "Does all so often, each time with a seed of its own, from `seed` on: "
            "the spread over them tells of the method, and that over networks of one set only.",
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "examples": [3],
        },
        "disagreements": _disagreements(),
    }


def _preset(presets: Sequence[Choice]) -> dict[str, Any]:
    name = {
        "title": "name of a preset",
        "description": "A published method, as data with sources.",
        "enum": [choice.name for choice in presets],
        "enumDescriptions": [choice.title for choice in presets],
    }
    variants = sorted({variant for choice in presets for variant in choice.variants})
    variant = {
        "title": "variant: one that the preset names",
        "description": "A published variant of the method, such as 10x of acc_dd.",
        "type": "string",
        **({"examples": variants} if variants else {}),
    }
    return {
        "title": "preset: a name, or a section with `name` and `variant`",
        "description": "A published method: gives every setting that this file leaves out, for its "
        "dataset and budget. `ddspec plan --values` says from where.",
        "anyOf": [
            name,
            {
                "type": "object",
                "minProperties": 1,
                "properties": {"name": name, "variant": variant},
                "additionalProperties": False,
            },
            {"type": "null", "description": "Forgets the preset of a spec that this one extends."},
        ],
    }


def _disagreements() -> dict[str, Any]:
    texts = {
        "setting": "The setting, as a dotted path: `perturbation.coefficient`.",
        "paper": "What the paper says.",
        "code": "What the official code does.",
        "why": "The reason for the choice.",
    }
    properties: dict[str, Any] = {
        name: {"title": f"{name}: text", "description": text, "type": "string"}
        for name, text in texts.items()
    }
    properties["takes"] = {
        "title": "takes: `paper`, `code` or `ours`",
        "description": "Which of them this spec takes.",
        "enum": ["paper", "code", "ours"],
    }
    return {
        "title": "disagreements: a list",
        "description": "Where paper and official code differ, shown in the plan; part of no "
        "identity.",
        "type": "array",
        "items": {
            "type": "object",
            "required": list(properties),
            "properties": properties,
            "additionalProperties": False,
        },
    }
