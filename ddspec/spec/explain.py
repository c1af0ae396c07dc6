"""From a parsed document to a validated model, or every problem with its place and a way out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.spec.nodes import Document, Node
from ddspec.spec.shapes import Resolved, Shapes
from ddspec.visible import visible

M = TypeVar("M", bound=BaseModel)
MAX_TOLD = 100
"""Problems of one document that are told; a hostile one may have tens of thousands."""
MAX_SHOWN = 40
"""Longest value that a message repeats, in characters."""


def validate(
    document: Document, model: type[M], *, also: Sequence[str] = (), guides: Sequence[str] = ()
) -> M:
    """Return the model that a document describes.

    `also` are keys that may stand at its top and that the model does not know. `guides` are
    sections by which others are found: while one of them is wrong, what is missing elsewhere is
    not told. Raises `DdspecError` (invalid) with every problem of the document at once, sorted by
    position.
    """
    made, found = explained(document, model, also=also, guides=guides)
    problems = [*document.problems, *found]
    if problems or made is None:
        raise DdspecError(_told(in_order(problems, document.source.file)), exit=Exit.INVALID)
    return made


def explained(
    document: Document,
    model: type[M],
    *,
    also: Sequence[str] = (),
    guides: Sequence[str] = (),
    whole: bool = True,
) -> tuple[M | None, list[Diagnostic]]:
    """Return the model that a document describes, or why it describes none, as `validate` does.

    Problems of form are not among the reasons, and nor is what is missing unless it is `whole`.
    """
    try:
        return model.model_validate(document.root.value), []
    except ValidationError as error:
        details = error.errors(include_url=False)[: 10 * MAX_TOLD]
        if not whole or _meant(also, details):
            details = [one for one in details if one["type"] not in _MISSING]
        elif any(_top(one) in guides for one in details):
            details = [one for one in details if _top(one) in guides or one["type"] not in _MISSING]
        return None, _explained(document, _shapes(model), details, also)


_MISSING = ("missing", "union_tag_not_found")


def _meant(words: Sequence[str], details: Iterable[ErrorDetails]) -> bool:
    """Tell whether an unknown key at the top is a slip in one of these words.

    What is missing may then come from what the key was to name.
    """
    unknown = [_top(one) for one in details if one["type"] == "extra_forbidden"]
    return any(get_close_matches(key, words, n=1, cutoff=0.75) for key in unknown)


def _top(detail: ErrorDetails) -> str:
    return str(detail["loc"][0]) if detail["loc"] else ""


def unknown_setting(name: str, model: type[BaseModel], place: Place) -> Diagnostic | None:
    """Return a problem where a dotted name is no setting or section of a model, whatever its kind.

    A preset's disagreements and a matrix's axes name settings so.
    """
    known = _shapes(model).settings()
    if name in known:
        return None
    return Diagnostic(f"`{_short(name)}` is no setting", place, _did_you_mean(name, known))


def _told(problems: Sequence[Diagnostic]) -> list[Diagnostic]:
    if len(problems) <= MAX_TOLD:
        return list(problems)
    return [*problems[:MAX_TOLD], Diagnostic("more problems follow", problems[MAX_TOLD].place)]


@cache
def _shapes(model: type[BaseModel]) -> Shapes:
    return Shapes(model)


def in_order(problems: Iterable[Diagnostic], first: str = "") -> list[Diagnostic]:
    """Return diagnostics without repetition, by file (`first` before others), line and column."""
    once = dict.fromkeys(problems)
    return sorted(once, key=lambda one: _position(one.place, visible(first)))


def _position(place: Place | None, first: str) -> tuple[str, int, int]:
    if place is None:
        return "", 0, 0
    return "" if place.file == first else place.file, place.line, place.column


def _explained(
    document: Document, shapes: Shapes, details: Iterable[ErrorDetails], also: Sequence[str]
) -> list[Diagnostic]:
    found = [(detail, shapes.resolve(detail["loc"])) for detail in details]
    kept = [(detail, at) for detail, at in found if _speaks(document, detail, at)]
    told = (_Explainer(document, shapes, detail, at, also).diagnostic() for detail, at in kept)
    return [with_source(document, one) for one in told]


def with_source(document: Document, problem: Diagnostic) -> Diagnostic:
    """Return a problem; one of another file than the named one says how that file came in."""
    note = document.others.get(problem.place.file) if problem.place else None
    return problem if note is None else noted(problem, note)


def noted(problem: Diagnostic, note: str) -> Diagnostic:
    """Return a problem that says how its file came in."""
    return replace(problem, message=f"{problem.message} ({note})")


def _speaks(document: Document, detail: ErrorDetails, at: Resolved) -> bool:
    """Tell whether an error says something that is not already said better elsewhere.

    Of a choice between a scalar and a section, only the side that was written counts; what was
    already refused as YAML is not judged again, and nor is what holds it.
    """
    node = document.find(*at.path)
    if node is not None and not node.sound:
        return False
    if node is None:
        return True
    section = isinstance(node.value, dict)
    if at.scalar_branch:
        return not section
    if detail["type"] == "too_short":  # items that are refused are not counted either
        return not node.value
    return section or not _beside_a_scalar(detail, at)


def _beside_a_scalar(detail: ErrorDetails, at: Resolved) -> bool:
    """Tell whether a section was expected by one member of a union and a scalar was given."""
    is_member = bool(at.path) and detail["loc"][-1] != at.path[-1]
    return is_member and detail["type"] in {"model_type", "dict_type", "model_attributes_type"}


class _Explainer:
    """Puts one validation error into words."""

    def __init__(
        self,
        document: Document,
        shapes: Shapes,
        detail: ErrorDetails,
        at: Resolved,
        also: Sequence[str],
    ) -> None:
        self.document, self.shapes, self.detail, self.at = document, shapes, detail, at
        self.also = also
        self.name = _name(at.path) or "the document"

    def diagnostic(self) -> Diagnostic:
        match "extra_forbidden" if self.at.of_key else self.detail["type"]:
            case "extra_forbidden":
                return self._unknown_key()
            case "missing":
                return self._missing(str(self.at.path[-1]), self.at.path[:-1])
            case "union_tag_not_found":
                return self._missing(self._tag(), self.at.path)
            case "union_tag_invalid":
                return self._unknown_tag()
            case "value_error":
                error = self.detail.get("ctx", {}).get("error", self.detail["msg"])
                return Diagnostic(str(error), self._blamed_place())
            case _:
                return self._unfit()

    def _unknown_key(self) -> Diagnostic:
        key, keys = str(self.at.path[-1]), self.shapes.keys(self.at.parent)
        keys = (*keys, *self.also) if len(self.at.path) == 1 else keys
        message = f"unknown key `{_short(key)}`{self._inside(self.at.path[:-1])}"
        hint = _did_you_mean(key, keys) or f"the keys here are {_listed(keys)}"
        return Diagnostic(message, self.document.key_place(*self.at.path), hint)

    def _missing(self, key: str, section: tuple[str | int, ...]) -> Diagnostic:
        message = f"missing key `{key}`{self._inside(section)}"
        shape = self.at.shape
        if self.detail["type"] == "union_tag_not_found" and shape is not None:
            hint = f"`{key}` is one of {_listed(shape['discriminator']['mapping'])}"
        else:
            hint = f"`{key}` must be {self.shapes.words(shape)}" if shape is not None else ""
        return Diagnostic(message, self._section_place(section), hint)

    def _section_place(self, section: tuple[str | int, ...]) -> Place:
        """Return where a person writes a section, or chose the preset that alone has it."""
        node = self.document.find(*section)
        only_ours = node is not None and node.source.ours and not self.document.source.ours
        return self.document.place(*(("preset", "name") if only_ours else section))

    def _blamed_place(self) -> Place:
        """Return where a section is that does not hold together.

        In one of a preset's it is what a person says otherwise, if anything.
        """
        node = self.document.find(*self.at.path)
        if node is not None and node.source.ours and isinstance(node.value, dict):
            for key, child in node.children.items():
                if not child.source.ours:
                    return self.document.place(*self.at.path, key)
        return self.document.place(*self.at.path)

    def _unknown_tag(self) -> Diagnostic:
        tag = self._tag()
        shape = self.at.shape or {}
        known = tuple(shape.get("discriminator", {}).get("mapping", ()))
        path = (*self.at.path, tag)
        found = self._found(self.document.find(*path))
        message = f"`{tag}` must be one of {_listed(known)}, not {found}"
        return Diagnostic(
            message, self.document.place(*path), _did_you_mean(found.strip("`"), known)
        )

    def _unfit(self) -> Diagnostic:
        node = self.document.find(*self.at.path)
        found = self._found(node)
        place = self.document.place(*self.at.path)
        if self.at.shape is None:
            return Diagnostic(f"`{self.name}` cannot be {found}", place)
        wanted = self.shapes.words(self.at.shape, node.value if node else None)
        choices = self.shapes.choices(self.at.shape)
        subject = f"`{self.name}`" if self.at.path else self.name
        message = f"{subject} must be {wanted}, not {found}"
        hint = _did_you_mean(found.strip("`"), choices) or self._unquote(node)
        return Diagnostic(message, place, hint)

    def _unquote(self, node: Node | None) -> str:
        """Return the way out where a number was written as text."""
        shape = self.at.shape
        if node is None or shape is None or not isinstance(node.value, str):
            return ""
        numeric = any(m.get("type") in {"integer", "number"} for m in self.shapes.members(shape))
        quoted = self.document.text(node)[:1] in {"'", '"'}
        return "write the number without quotes" if numeric and quoted else ""

    def _tag(self) -> str:
        return str(self.detail.get("ctx", {}).get("discriminator", "'kind'")).strip("'")

    def _inside(self, section: tuple[str | int, ...]) -> str:
        return f" in `{_name(section)}`" if section else ""

    def _found(self, node: Node | None) -> str:
        """Return the offending value as it was written."""
        match node.value if node else None:
            case dict():
                return "a section"
            case list() as items if self.detail["type"] == "too_long":
                return f"one of {len(items):,}"
            case list() as items:
                return "a list" if items else "an empty one"
            case _:
                written = self.document.text(node).strip() if node else ""
                return f"`{_short(written)}`" if written else "nothing"


def _name(path: tuple[str | int, ...]) -> str:
    """Return the last key of a path, with the index below it: `networks[0]`."""
    keys = [index for index, step in enumerate(path) if isinstance(step, str)]
    tail = path[keys[-1] :] if keys else path
    return "".join(_short(step) if isinstance(step, str) else f"[{step}]" for step in tail)


def _short(text: str) -> str:
    shown = visible(text[: MAX_SHOWN + 1])
    return shown if len(text) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
