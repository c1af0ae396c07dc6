"""What a model allows at a place, in words for people, read off its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel

Shape: TypeAlias = "Mapping[str, Any]"
"""A JSON Schema, or part of one."""

_PATTERNS = {
    r"^[a-z0-9][a-z0-9_-]{0,62}$": "a name of at most 63 lower-case letters, digits, `-` and `_`",
    r"^[0-9]{1,9}(\.[0-9]{1,3})? ?([kMGT]B|[KMGT]iB|B)$": "bytes with a unit, such as `48 GiB`",
    r"^[0-9a-f]{64}$": "the 64 lower-case hexadecimal digits that `sha256sum` prints",
}
_UNBOUNDED = 10**9
"""A maximum this large guards against nonsense and is not worth a word."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a validation error lies: the path in the document, and what is allowed there."""

    path: tuple[str | int, ...]
    shape: Shape | None
    """None under a key that the model does not know."""
    parent: Shape | None
    """Of the section or list that holds the last step."""
    of_key: bool = False
    """The error is about the name of the last step, in a table that allows only some."""
    scalar_branch: bool = False
    """The error is about the scalar side of a choice between a scalar and a section."""


class Shapes:
    """The shapes of one model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._root = model.model_json_schema()

    def resolve(self, location: Sequence[str | int]) -> Resolved:
        """Drop from an error's location what names a member of a union, not a key."""
        steps, path = list(location), []
        shape: Shape | None = self._deref(self._root)
        parent: Shape | None = None
        of_key = scalar_branch = False
        while steps:
            step = steps.pop(0)
            if step == "[key]" and isinstance((parent or {}).get("additionalProperties"), Mapping):
                of_key = True
            elif shape and "discriminator" in shape:
                shape = self._deref({"$ref": shape["discriminator"]["mapping"][str(step)]})
            elif shape and len(members := self.members(shape)) > 1:
                titled = [m for m in members if m.get("title") == step]
                scalar_branch = not titled
                shape = titled[0] if titled else shape
                if scalar_branch:
                    break
            else:
                path.append(step)
                parent, shape = shape, self._child(shape, step)
        return Resolved(tuple(path), shape, parent, of_key, scalar_branch)

    def members(self, shape: Shape) -> list[Shape]:
        """Return the alternatives of a shape, without null; itself where there are none."""
        found = [self._deref(member) for member in shape.get("anyOf", [shape])]
        return [member for member in found if member.get("type") != "null"]

    def keys(self, shape: Shape | None) -> tuple[str, ...]:
        """Return the keys that a section may have."""
        known = shape or {}
        return tuple(known.get("properties", known.get("propertyNames", {}).get("enum", ())))

    def choices(self, shape: Shape | None) -> tuple[str, ...]:
        """Return the words that are allowed, also as one of several alternatives."""
        listed: list[Any] = []
        for member in self.members(shape) if shape else []:
            listed += member.get("enum", [member["const"]] if "const" in member else [])
        return tuple(str(value) for value in listed)

    def settings(self) -> tuple[str, ...]:
        """Return the dotted names of all sections and settings, of every member of a union."""
        return tuple(dict.fromkeys(self._below(self._deref(self._root), ())))

    def _below(self, shape: Shape, path: tuple[str, ...]) -> Iterator[str]:
        if path:
            yield ".".join(path)
        for member in self._alternatives(shape):
            for key, inner in member.get("properties", {}).items():
                yield from self._below(inner, (*path, key))

    def _alternatives(self, shape: Shape) -> Iterator[Shape]:
        found = self._deref(shape)
        nested = found.get("anyOf", found.get("oneOf"))
        if nested is None:
            yield found
            return
        for member in nested:
            yield from self._alternatives(member)

    def words(self, shape: Shape, value: object = None) -> str:
        """Return what is allowed: `an integer between 1 and 6`; `value` is what was found."""
        if "discriminator" in shape:
            tag = shape["discriminator"]
            return f"a section with `{tag['propertyName']}` {_either(tag['mapping'])}"
        members = self.members(shape)
        if len(members) > 1:
            return " or ".join(self.words(member, value) for member in members)
        return _single(members[0], value)

    def _child(self, shape: Shape | None, step: str | int) -> Shape | None:
        """Return the shape under a key or index, or None where the model knows no such key."""
        if shape is None:
            return None
        member = self.members(shape)[0]
        inner = member.get("items") if isinstance(step, int) else _under(member, step)
        return None if inner is None else self._deref(inner)

    def _deref(self, shape: Shape) -> Shape:
        while "$ref" in shape:
            shape = self._root["$defs"][shape["$ref"].rsplit("/", 1)[-1]]
        alone = shape.get("anyOf", ())
        kept = [member for member in alone if member.get("type") != "null"]
        return self._deref(kept[0]) if len(kept) == 1 else shape


def _under(shape: Shape, key: str) -> Shape | None:
    """Return the shape under a key of a section, or of a table whose keys are free."""
    rest = shape.get("additionalProperties")
    found: Shape | None = shape.get("properties", {}).get(key)
    return rest if found is None and isinstance(rest, Mapping) else found


def _single(shape: Shape, value: object) -> str:
    if "enum" in shape or "const" in shape:
        return _either(shape.get("enum", [shape.get("const")]))
    match shape.get("type"):
        case "integer" | "number" as kind:
            return ("an integer" if kind == "integer" else "a number") + _bounds(shape, value)
        case "string":
            return _PATTERNS.get(shape.get("pattern", ""), _text(shape))
        case "array":
            return _list(shape)
        case "boolean":
            return "`true` or `false`"
        case _:
            return "a section of keys and values"


def _list(shape: Shape) -> str:
    at_least = " with at least one item" if shape.get("minItems") else ""
    at_most = f", {shape['maxItems']:,} at most" if "maxItems" in shape else ""
    return f"a list{at_least}{at_most}"


def _text(shape: Shape) -> str:
    return f"text of at most {shape['maxLength']:,} characters" if "maxLength" in shape else "text"


def _bounds(shape: Shape, value: object) -> str:
    low, above = shape.get("minimum"), shape.get("exclusiveMinimum")
    high, below = shape.get("maximum"), shape.get("exclusiveMaximum")
    if high is not None and high >= _UNBOUNDED and not _exceeds(value, high):
        high = None
    if low is not None and high is not None:
        return f" between {_plain(low)} and {_plain(high)}"
    parts = [
        *([f"of at least {_plain(low)}"] if low is not None else []),
        *([f"above {_plain(above)}"] if above is not None else []),
        *([f"of at most {_plain(high)}"] if high is not None else []),
        *([f"below {_plain(below)}"] if below is not None else []),
    ]
    return " " + " and ".join(parts) if parts else ""


def _exceeds(value: object, high: float) -> bool:
    return isinstance(value, (int, float)) and value > high


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)


def _either(values: Sequence[object] | Mapping[str, object]) -> str:
    quoted = [f"`{value}`" for value in values]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
