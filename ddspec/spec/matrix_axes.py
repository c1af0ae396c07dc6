"""Axes of a matrix: lists, ranges in exact decimals, and variants with names."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from itertools import islice

from ddspec.canon import Json, canonical
from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.spec.matrix_parts import Axis, Choice, Path, Setting, dotted
from ddspec.spec.nodes import MAX_PROBLEMS, Node, Span
from ddspec.spec.source import Source
from ddspec.spec.variant_names import NAME, axis_words, value_words
from ddspec.visible import visible

MAX_VARIANTS = 10_000
MAX_LISTED = 20
"""Known names that a hint looks through and lists."""
_MOST = f"values; at most {MAX_VARIANTS:,} variants"
RANGE_KEYS = "a range has `from`, `to`, `step` and `as`"
FIXED = ("name", "extends", "matrix", "replicates", "disagreements")
"""What all variants share, so that none can set it."""


@dataclass(slots=True)
class Reader:
    """Reads parts of a matrix and gathers what is wrong with them."""

    source: Source
    problems: list[Diagnostic] = field(default_factory=list)

    def refuse(self, message: str, span: Span, hint: str = "") -> None:
        """Note a problem at a place; raise all of them where there are very many."""
        self.problems.append(self.source.problem(message, *_shown(span), hint=hint))
        if len(self.problems) >= MAX_PROBLEMS:
            raise DdspecError(self.problems, exit=Exit.INVALID)

    def unknown(self, key: str, span: Span, known: Iterable[str]) -> None:
        """Note a key that means nothing here."""
        names = [visible(name[:80]) for name in islice(known, MAX_LISTED)]
        close = get_close_matches(key[:80], names, n=1)
        listed = ", ".join(f"`{name}`" for name in names)
        hint = f"did you mean `{close[0]}`?" if close else f"there are {listed}"
        self.refuse(f"`{visible(key[:80])}` is no axis of the matrix", span, hint)

    def axis(self, key: str, span: Span, node: Node) -> Axis | None:
        """Return the axis of a setting; None where it is refused."""
        path = self._path(key, span)
        if path is None or not node.sound:
            return None
        word, values, names = self._values(key, node)
        if values is None:
            return None
        if not values:
            self.refuse(f"axis `{visible(key[:80])}` has no value", span)
            return None
        self._check_unlike(values)
        words = names or [""] * len(values)
        choices = tuple(
            Choice(text, (Setting(path, span, value),))
            for text, value in zip(words, values, strict=True)
        )
        return Axis(path, span, choices, word)

    def named(self, node: Node, span: Span) -> Axis | None:
        """Return the axis of variants with names; None where it is refused."""
        if not isinstance(node.value, dict) or not node.children:
            self.refuse("`variants` must be a section of names, each with its settings", span)
            return None
        choices = []
        for name in sorted(node.children, key=str):
            child = node.children[name]
            self._check_name(str(name), node.keys[name])
            if not isinstance(child.value, dict):
                self.refuse(f"variant `{visible(str(name)[:80])}` must be a section", child.span)
                continue
            choices.append(Choice(str(name), tuple(self.settings(child)), named=True))
        return Axis((), span, tuple(choices))

    def settings(self, node: Node) -> list[Setting]:
        """Return what a section of dotted paths sets, in the order of the paths."""
        found = [
            Setting(path, node.keys[key], child)
            for key, child in node.children.items()
            if (path := self._path(str(key), node.keys[key])) is not None
        ]
        self._check_nested([(one.path, one.key) for one in found])
        return sorted(found, key=lambda one: one.path)

    def inclusion(self, node: Node) -> tuple[str, list[Setting]]:
        """Return the name of an item of `include`, empty where it gives none, and its settings."""
        name = node.children.get("name")
        rest = {key: child for key, child in node.children.items() if key != "name"}
        if name is not None:
            self._check_name(str(name.value), name.span)
        settings = self.settings(replace(node, children=rest))
        return ("" if name is None else str(name.value)), settings

    def items(self, matrix: Node, key: str) -> list[Node]:
        """Return the sections of a list of the matrix."""
        node = matrix.children.get(key)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self.refuse(f"`{key}` must be a list of sections", matrix.keys[key])
            return []
        for child in node.children.values():
            if not isinstance(child.value, dict) or not child.children:
                self.refuse(f"an item of `{key}` must be a section of settings", child.span)
        return [child for child in node.children.values() if child.children and child.keys]

    def check_apart(self, axes: Sequence[Axis]) -> None:
        """Refuse two axes that set the same, or of which one lies within the other."""
        paths = [
            (one.path, one.key) for axis in axes if axis.path for one in axis.choices[0].settings
        ]
        inner = {
            one.path: one.key
            for axis in axes
            if not axis.path
            for choice in axis.choices
            for one in choice.settings
        }
        self._check_nested([*paths, *inner.items()], inner)

    def worded(self, axes: Sequence[Axis]) -> list[Axis]:
        """Return the axes with a word for each choice."""
        words = axis_words([axis.path for axis in axes if axis.path])
        by_path = dict(zip((axis.path for axis in axes if axis.path), words, strict=True))
        return [_worded(axis, by_path[axis.path]) if axis.path else axis for axis in axes]

    def _path(self, key: str, span: Span) -> Path | None:
        path = tuple(key.split("."))
        if not all(path):
            self.refuse(f"`{visible(key[:80])}` is no dotted path of a setting", span)
            return None
        if path[0] in FIXED:
            self.refuse(f"`{path[0]}` is the same for all variants of a matrix", span)
            return None
        return path

    def _check_name(self, name: str, span: Span) -> None:
        if not NAME.fullmatch(name):
            shown = visible(name[:80])
            hint = "at most 63 lower-case letters, digits, `-` and `_`"
            self.refuse(f"`{shown}` cannot be the name of a variant", span, hint)

    def _check_nested(
        self, paths: Sequence[tuple[Path, Span]], variants: Container[Path] = ()
    ) -> None:
        """Refuse settings of which one lies within the other; `variants` are those of names."""
        seen: dict[Path, Span] = {}
        for path, span in sorted(paths):
            around = next((path[:n] for n in range(1, len(path) + 1) if path[:n] in seen), None)
            if around is not None:
                line = self.source.place(*seen[around]).line
                inside = "is set by" if around == path else "lies within"
                other, hint = "another axis", "write them as one axis, or as `variants`"
                if around != path and around in variants and path in variants:
                    section = visible(dotted(around))
                    other, hint = f"`{section}`", f"write all variants without `{section}:`, dotted"
                message = f"`{visible(dotted(path))}` {inside} {other}, on line {line}"
                self.refuse(message, span, hint)
            seen.setdefault(path, span)

    def _check_unlike(self, values: Sequence[Node]) -> None:
        seen: set[bytes] = set()
        for node in values:
            plain = canonical(node.value)
            if plain in seen:
                self.refuse("this value is there twice", node.span)
            seen.add(plain)

    def _values(
        self, key: str, node: Node
    ) -> tuple[str, Sequence[Node] | None, Sequence[str] | None]:
        """Return a person's word for an axis, its values, and a person's words for them."""
        if isinstance(node.value, dict) and "values" in node.children:
            return self._spelled_out(key, node)
        return self._own_word(node), self._points(key, node), None

    def _own_word(self, node: Node) -> str:
        """Return what a person calls an axis in names, empty where they do not say."""
        word = node.children.get("as")
        if word is None:
            return ""
        self._check_name(str(word.value), word.span)
        return str(word.value)

    def _spelled_out(
        self, key: str, node: Node
    ) -> tuple[str, Sequence[Node] | None, Sequence[str] | None]:
        for name in node.children:
            if name not in ("as", "values"):
                self.refuse(f"unknown key `{visible(str(name)[:80])}` of an axis", node.keys[name])
        text, inner = self._own_word(node), node.children["values"]
        if isinstance(inner.value, dict) and "from" not in inner.children:
            for name in inner.children:
                self._check_name(str(name), inner.keys[name])
            names = sorted(map(str, inner.children))
            return text, [inner.children[name] for name in names], names
        return text, self._points(key, inner), None

    def _points(self, key: str, node: Node) -> Sequence[Node] | None:
        if isinstance(node.value, list):
            return tuple(node.children.values())
        if isinstance(node.value, dict) and {"from", "to", "step"} & node.children.keys():
            return self._range(node)
        shown = visible(key[:80])
        message = f"axis `{shown}` must be a list, a range, or `values` with names"
        self.refuse(message, node.span, "for example `[1, 10]` or `{from: 0, to: 10, step: 2}`")
        return None

    def _range(self, node: Node) -> Sequence[Node] | None:
        for name in node.children:
            if name not in ("from", "to", "step", "as"):
                shown = visible(str(name)[:80])
                self.refuse(f"unknown key `{shown}` of a range", node.keys[name], RANGE_KEYS)
        ends = [self._decimal(node, name) for name in ("from", "to", "step")]
        first, last, step = ends
        if first is None or last is None or step is None:
            return None
        if not float(step) > 0 or last < first:
            self.refuse("a range goes upwards, by a step above 0", node.span)
            return None
        try:
            count, rest = divmod(last - first, step)
        except ArithmeticError:  # more digits than decimals have here
            self.refuse(f"more than {MAX_VARIANTS:,} {_MOST}", node.span)
            return None
        if rest:
            end = first + count * step
            hint = f"the last value would be {end}: end there, or at {end + step}"
            self.refuse(f"this range does not reach {last}", node.span, hint)
            return None
        if count >= MAX_VARIANTS:
            self.refuse(f"{count + 1:,} {_MOST}", node.span)
            return None
        whole = all(value == value.to_integral_value() for value in (first, step))
        return [
            Node(int(value) if whole else float(value), node.span, node.source)
            for value in (first + step * i for i in range(int(count) + 1))
        ]

    def _decimal(self, node: Node, name: str) -> Decimal | None:
        """Return a number of a range as it is written, exactly; a step left out is 1."""
        child = node.children.get(name)
        if child is None:
            if name == "step":
                return Decimal(1)
            self.refuse(f"a range without `{name}`", node.span)
            return None
        value = child.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"`{name}` of a range must be a number", child.span)
            return None
        if abs(value) >= 2**63:
            self.refuse(f"`{name}` of a range does not fit into 64 bits", child.span)
            return None
        try:
            text = str(value) if isinstance(value, int) else self.source.text[slice(*child.span)]
            return Decimal(text)
        except InvalidOperation:
            return Decimal(repr(value))


def _shown(span: Span) -> Span:
    return (span[0], max(span[1], span[0] + 1))


def _worded(axis: Axis, word: str) -> Axis:
    values: list[Json] = [choice.settings[0].node.value for choice in axis.choices]
    if axis.choices[0].word:
        return axis
    bare = not axis.word and all(isinstance(value, str) for value in values)
    texts = value_words(axis.word or word, values, bare=bare)
    choices = (replace(one, word=text) for one, text in zip(axis.choices, texts, strict=True))
    return replace(axis, choices=tuple(choices))
