"""The schema of `matrix:`: every setting may be an axis, by its dotted path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ddspec.spec.schema import one_of

AXIS_PATTERN = r"^[a-z_]+(\.[a-z_0-9]+)*$"
NOT_AXES = frozenset({"name", "extends", "matrix", "replicates", "disagreements"})
"""Keys at the top that are the same for all variants."""

_NAME = {
    "title": "name: of the variant",
    "description": "What a variant of `include` is called in labels, tables and results.",
    "type": "string",
}
_AS = {
    "title": "as: a name",
    "description": "What the axis is called in the names of variants.",
    "type": "string",
}
_VARIANT = {
    "preset.variant": (
        {
            "title": "preset.variant: names",
            "description": "Published variants of the preset, such as 5x and 10x of acc_dd.",
        },
        [{"type": ["string", "null"]}],
    )
}
_RANGE = {
    "type": "object",
    "required": ["from", "to"],
    "properties": {
        "from": {"title": "from: a number", "description": "First value.", "type": "number"},
        "to": {"title": "to: a number", "description": "Last value, included.", "type": "number"},
        "step": {
            "title": "step: a number above 0; default 1",
            "description": "Distance of one value from the next.",
            "type": "number",
            "exclusiveMinimum": 0,
        },
        "as": _AS,
    },
    "additionalProperties": False,
}


_LISTED = {
    "type": "object",
    "required": ["values"],
    "properties": {
        "values": {
            "title": "values: a list, or a section of names",
            "description": "The values of the axis; a section gives each a name of its own.",
            "type": ["array", "object"],
        },
        "as": _AS,
    },
    "additionalProperties": False,
}


def matrix_definitions(defs: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Return the definitions of a matrix over the settings of the definition called `root`."""
    settings = {**dict(_settings(defs, root)), **_VARIANT}
    named = {
        path: refs[0] if len(refs) == 1 and "$ref" in refs[0] else {**about, **one_of(refs)}
        for path, (about, refs) in settings.items()
    }
    override = {
        "type": "object",
        "properties": {**named, "name": _NAME},
        "additionalProperties": False,
    }
    lists = {
        "exclude": _list("Combinations to leave out: all that have these values.", "Exclusion"),
        "include": _list("Further variants, each with settings of its own.", "Override"),
    }
    variants = {
        "title": "variants: sections by name",
        "description": "An axis of named variants, each with settings of its own.",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Override"},
    }
    axes = {path: {**about, **_axis(one_of(refs))} for path, (about, refs) in settings.items()}
    return {
        "Range": _RANGE,
        "Listed": _LISTED,
        "Axis": {
            "type": ["array", "object"],
            "minItems": 1,
            "if": {"type": "object", "required": ["values"]},
            "then": {"$ref": "#/$defs/Listed"},
            "else": {"if": {"type": "object"}, "then": {"$ref": "#/$defs/Range"}},
        },
        "Override": override,
        "Exclusion": {
            **override,
            "properties": {},
            "patternProperties": {AXIS_PATTERN: True},
        },
        "Matrix": {
            "type": "object",
            "properties": {**axes, **lists, "variants": variants},
            "additionalProperties": False,
        },
    }


def _list(description: str, item: str) -> dict[str, Any]:
    return {
        "title": "a list of sections",
        "description": description,
        "type": "array",
        "items": {"$ref": f"#/$defs/{item}"},
    }


def _axis(value: Any) -> dict[str, Any]:
    """Return the shape of an axis; only the values of a list are judged."""
    return {"$ref": "#/$defs/Axis", "items": value}


def _settings(
    defs: Mapping[str, Any], name: str, above: str = ""
) -> Iterator[tuple[str, tuple[dict[str, Any], list[Any]]]]:
    """Yield the dotted path of each setting, its texts, and where its shapes are.

    A key of several members of a union comes once, with the shape in each of them.
    """
    found: dict[str, tuple[dict[str, Any], list[Any]]] = {}
    for at, shape in _properties(defs, name):
        key = at.rsplit("/", 1)[-1]
        if above or key not in NOT_AXES:
            about = {"title": shape["title"], "description": shape["description"]}
            found.setdefault(above + key, (about, []))[1].append({"$ref": at})
    for path, (about, refs) in found.items():
        yield path, (about, refs)
    for at, shape in _properties(defs, name):
        key = at.rsplit("/", 1)[-1]
        if above or key not in NOT_AXES:
            inner = dict.fromkeys(_referred(shape))
            merged: dict[str, tuple[dict[str, Any], list[Any]]] = {}
            for target in inner:
                for path, (about, refs) in _settings(defs, target, f"{above}{key}."):
                    merged.setdefault(path, (about, []))[1].extend(refs)
            yield from merged.items()


def _properties(defs: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, shape in defs[name].get("properties", {}).items():
        yield f"#/$defs/{name}/properties/{key}", shape


def _referred(shape: Any) -> Iterator[str]:
    """Yield the definitions of the sections that a setting may be; those in lists are no paths."""
    if isinstance(shape, list):
        for item in shape:
            yield from _referred(item)
    if isinstance(shape, Mapping):
        if "$ref" in shape:
            yield shape["$ref"].rsplit("/", 1)[-1]
        for key in ("anyOf", "allOf", "then"):
            yield from _referred(shape.get(key))
