"""JSON Schema (draft 2020-12) of what people write, for completion and hover texts in editors.

The models judge a spec; the schema tells the same as far as JSON Schema can, and allows a spec that
leaves to a preset, a parent or a matrix what these give.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ddspec.canon import canonical
from ddspec.spec.docstrings import field_docs, models_in
from ddspec.spec.hover import WORDS
from ddspec.spec.shapes import Shape, Shapes

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LAYER = "Layer"
"""Suffix of a definition in which nothing is required, for a layer is completed by others."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A name that may be written, and one line that says what it stands for."""

    name: str
    title: str
    variants: tuple[str, ...] = ()


def described_schema(model: type[BaseModel], protocols: Sequence[Choice] = ()) -> dict[str, Any]:
    """Return the schema of a model: every key described, unions told apart by their tag.

    Beside each definition `X` stands `XLayer`, the same with nothing required.
    """
    raw = model.model_json_schema()
    shapes, models = Shapes(model), models_in(model)
    raw["$defs"] = {**raw.get("$defs", {}), model.__name__: {**raw, "$defs": {}}}
    described = {
        name: _described(found, models[name], shapes) for name, found in raw["$defs"].items()
    }
    defs: dict[str, Any] = {}
    for name, found in described.items():
        defs[name] = _told_apart(found, described, shapes)
        defs[name + LAYER] = _layer(_told_apart(found, described, shapes, tagged=False))
    for name in ("EvaluateSpec", "EvaluateSpec" + LAYER):
        if name in defs and protocols:
            _name_protocols(defs[name]["properties"]["protocol"], protocols)
    return {"$schema": DIALECT, "$ref": f"#/$defs/{model.__name__}", "$defs": defs}


# --- texts ----------------------------------------------------------------------------------------


def _described(shape: Shape, model: type[BaseModel], shapes: Shapes) -> dict[str, Any]:
    docs = field_docs(model)
    properties = {
        name: _property(name, inner, model, docs.get(name), shapes)
        for name, inner in shape.get("properties", {}).items()
    }
    kept = {key: shape[key] for key in ("type", "required", "additionalProperties") if key in shape}
    return {
        "title": _spaced(model.__name__),
        "description": _one_line(model.__doc__),
        **kept,
        "properties": properties,
    }


def _property(
    name: str, shape: Shape, model: type[BaseModel], doc: str | None, shapes: Shapes
) -> dict[str, Any]:
    field = model.model_fields[name]
    allowed = shapes.words(shape)
    default = ""
    rest = _nullable({k: v for k, v in shape.items() if k not in {"title", "default"}})
    if not field.is_required():
        value = _plain(field.get_default(call_default_factory=True))
        default = "; optional" if value is None else f"; default {_flow(value)}"
        # editors offer defaults as values, and a null is of no use to anybody
        rest |= {} if value is None else {"default": value}
    _note_default_tag(rest, field)
    if "const" in shape or name in {"kind", "law"}:
        doc = _one_line(model.__doc__)
    return {
        "title": f"{name}: {allowed}{default}",
        "description": doc or WORDS.get(name, ""),
        **rest,
    }


def _nullable(shape: dict[str, Any]) -> dict[str, Any]:
    """Return `X or null` as one shape where X has a type: mistakes in it are told by their name."""
    members = [each for each in shape.get("anyOf", ()) if each != {"type": "null"}]
    if len(members) != 1 or "type" not in members[0] or len(shape["anyOf"]) == 1:
        return shape
    made = {**members[0], "type": [members[0]["type"], "null"]}
    return made | ({"enum": [*made["enum"], None]} if "enum" in made else {})


def _note_default_tag(shape: dict[str, Any], field: FieldInfo) -> None:
    """Write into the choice of a field, where there is one, which member an untagged section is."""
    if not any("discriminator" in each for each in (shape, *shape.get("anyOf", ()))):
        return
    tag = _default_tag(field)
    if tag is None:
        return
    if "discriminator" in shape:
        shape["discriminator"] = {**shape["discriminator"], "default": tag}
    else:
        shape["anyOf"] = [
            {**each, "discriminator": {**each["discriminator"], "default": tag}}
            if "discriminator" in each
            else each
            for each in shape["anyOf"]
        ]


def _default_tag(field: FieldInfo) -> str | None:
    """Return the tag that a field's validator adds to a section without one; None for no such."""
    try:
        made = TypeAdapter(field.rebuild_annotation()).validate_python({})
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = next((each for each in details if each["type"] == "missing"), None)
        return None if found is None else str(found["loc"][-2])
    return str(made.kind)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _flow(value: Any) -> str:
    """Return a value as it would be written on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}"
    return value if isinstance(value, str) else canonical(value).decode()


def _spaced(name: str) -> str:
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in name)
    return words.strip().removesuffix(" spec")


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _name_protocols(shape: dict[str, Any], protocols: Sequence[Choice]) -> None:
    """Offer the names of the protocols of this version."""
    members = shape["anyOf"]
    shape["anyOf"] = [_enumerated(protocols), *(m for m in members if m.get("type") != "string")]


def _enumerated(choices: Sequence[Choice]) -> dict[str, Any]:
    return {
        "enum": [choice.name for choice in choices],
        "enumDescriptions": [choice.title for choice in choices],
    }


# --- unions ---------------------------------------------------------------------------------------


def _told_apart(shape: Any, defs: Mapping[str, Any], shapes: Shapes, *, tagged: bool = True) -> Any:
    """Return a shape whose unions choose by their tag, as editors understand it.

    Where it may be left out (not `tagged`), a section without its tag may have the keys of any.
    """
    if isinstance(shape, list):
        return [_told_apart(item, defs, shapes, tagged=tagged) for item in shape]
    if not isinstance(shape, Mapping):
        return shape
    # what is inside a list is never completed by another layer
    inner = {
        key: _told_apart(value, defs, shapes, tagged=tagged or key == "items")
        for key, value in shape.items()
        if key not in {"discriminator", "oneOf"}
    }
    if "discriminator" not in shape:
        return inner
    return inner | _choice(shape["discriminator"], defs, shapes, tagged=tagged)


def _choice(
    tag: Mapping[str, Any], defs: Mapping[str, Any], shapes: Shapes, *, tagged: bool
) -> dict[str, Any]:
    key, mapping = tag["propertyName"], tag["mapping"]
    members = {ref: [k for k, r in mapping.items() if r == ref] for ref in mapping.values()}
    names = {ref: ref.rsplit("/", 1)[-1] for ref in members}
    known = {
        "enum": list(mapping),
        "title": f"{key}: {shapes.words({'enum': list(mapping)})}",
        "description": "Which of them; the other keys of this section follow from it.",
        "enumDescriptions": [
            _one_line(defs[names[ref]]["description"]) for ref in mapping.values()
        ],
    }
    default = tag.get("default") if tagged else None
    branches: list[Any] = []
    for ref, kinds in members.items():
        chosen: dict[str, Any] = {"properties": {key: {"enum": kinds}}}
        must = {} if default in kinds else {"required": [key]}
        branches.append({"if": chosen | must, "then": {"$ref": ref}})
    if not tagged:
        branches.append(_untagged(key, {name: defs[name] for name in names.values()}))
    required = {"required": [key]} if tagged and default is None else {}
    return {"type": "object", "properties": {key: known}, **required, "allOf": branches}


def _untagged(key: str, members: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the branch of a section whose tag is given elsewhere: it may have keys of any."""
    shapes: dict[str, list[Any]] = {}
    about: dict[str, dict[str, Any]] = {}
    for name, member in members.items():
        for inner, shape in member["properties"].items():
            at = {"$ref": f"#/$defs/{name}{LAYER}/properties/{inner}"}
            shapes.setdefault(inner, []).append(at)
            texts = {text: shape[text] for text in ("title", "description")}
            about.setdefault(inner, texts)
    properties = {
        name: about[name] | one_of(found) for name, found in shapes.items() if name != key
    }
    return {
        "if": {"not": {"required": [key]}},
        "then": {"allOf": [{"properties": properties, "additionalProperties": False}]},
    }


def one_of(shapes: Sequence[Any]) -> Any:
    """Return a shape that any of some shapes fits."""
    return shapes[0] if len(shapes) == 1 else {"anyOf": list(shapes)}


def _layer(shape: Any, *, inside: bool = True) -> Any:
    """Return a shape with nothing required, but for what stands in lists."""
    if isinstance(shape, list):
        return [_layer(item, inside=inside) for item in shape]
    if not isinstance(shape, Mapping):
        return shape
    made = {}
    for key, value in shape.items():
        if key == "required" and inside and "properties" in shape and "allOf" not in shape:
            continue
        if key == "$ref":
            made[key] = value if "/properties/" in value else value + LAYER
        elif key in {"items", "if"}:
            made[key] = value
        else:
            made[key] = _layer(value, inside=inside)
    return made


def reachable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without the definitions that nothing refers to."""
    waiting: list[Any] = [{key: value for key, value in schema.items() if key != "$defs"}]
    used: set[str] = set()
    while waiting:
        for name in _referred(waiting.pop()):
            if name not in used:
                used.add(name)
                waiting.append(schema["$defs"][name])
    return {**schema, "$defs": {k: v for k, v in schema["$defs"].items() if k in used}}


def _referred(shape: Any) -> Iterator[str]:
    if isinstance(shape, list):
        for item in shape:
            yield from _referred(item)
    if isinstance(shape, Mapping):
        for key, value in shape.items():
            if key == "$ref":
                yield value.removeprefix("#/$defs/").partition("/")[0]
            else:
                yield from _referred(value)


def keys_of(shape: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every key that a schema describes, and its shape, wherever it stands."""
    if isinstance(shape, list):
        for item in shape:
            yield from keys_of(item)
    if isinstance(shape, Mapping):
        for name, value in shape.items():
            if name == "properties":
                yield from value.items()
            if name != "if":
                yield from keys_of(value)
