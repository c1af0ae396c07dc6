"""`matrix:` of a spec: from axes to the variants that they span, each value with its place.

    matrix:
      budget.images_per_class: [1, 10, 50]           # values of a setting, by its dotted path
      pool.epochs: {from: 0, to: 10, step: 2}        # a range, both ends included, exact
      preset: {as: method, values: [dsa, idc]}       # a word of one's own for the names
      variants: {fast: {loops.outer_loops: 100}, slow: {loops.outer_loops: 400}}
      exclude: [{pool.epochs: 0, budget.images_per_class: [10, 50]}]
      include: [{name: paper, perturbation.coefficient: {law: fixed, value: 1.0}}]

Every combination of the axes is a variant, but for those that match an exclusion; each inclusion is
one more. The order in which axes are written changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from ddspec.canon import Json, canonical
from ddspec.errors import DdspecError, Exit
from ddspec.spec.matrix_axes import MAX_VARIANTS, Reader
from ddspec.spec.matrix_exclusions import (
    Choices,
    Exclusion,
    by_identity,
    hit,
    matching,
    variants_by_choice,
)
from ddspec.spec.matrix_parts import Axis, Path, Setting, dotted
from ddspec.spec.matrix_weight import Weights
from ddspec.spec.nodes import Node, Span
from ddspec.spec.source import Source
from ddspec.spec.variant_names import distinct, fitted, slug

ORDER = (
    "preset",
    "seed",
    "dataset",
    "budget",
    "network",
    "pool",
    "perturbation",
    "inner",
    "matcher",
)
"""Sections in the order in which a spec has them; axes of others follow in that of their names."""
EXCLUDE, INCLUDE, VARIANTS = "exclude", "include", "variants"

COUNTED = 10**12
"""Variants up to which a message counts them."""
MAX_WEIGHT = 16 * 2**20
"""Most that all settings of all variants may take, as `Weights` weighs them."""


@dataclass(frozen=True, slots=True)
class Combination:
    """One variant: its name, and what it sets over the rest of the spec."""

    name: str
    settings: Mapping[str, Json]
    """By dotted path, in the order of the axes."""
    overrides: Node
    """The same as a tree, whose every value and key lies where the matrix says it."""


def read_matrix(node: Node, copies: int = 1) -> tuple[Combination, ...]:
    """Return the variants of a `matrix:` section, the first axis varying slowest.

    `copies` is how many are made of each afterwards: all of them must be few enough.

    Raises `DdspecError` (invalid) with every problem of the section: no axis, an empty one, values
    or variants that are there twice, axes of which one lies within the other, exclusions that match
    nothing, more than 10,000 variants. Whether settings exist is left to the variants' validation.
    """
    reading = _Reading(node, Reader(node.source), copies)
    found = reading.combinations()
    if reading.reader.problems:
        raise DdspecError(reading.reader.problems, exit=Exit.INVALID)
    return found


@dataclass(slots=True)
class _Reading:
    node: Node
    reader: Reader
    copies: int

    def combinations(self) -> tuple[Combination, ...]:
        if not isinstance(self.node.value, dict):
            self.reader.refuse("`matrix` must be a section of axes", self.node.span)
            return ()
        axes = self._axes()
        included = self._included()
        if self.reader.problems:
            return ()
        if not axes and not included:
            self.reader.refuse("a matrix without an axis", self.node.span, "remove it")
            return ()
        if not self._is_small(axes, included):
            return ()
        chosen = [*self._product(axes), *included]
        if not chosen:
            self.reader.refuse("every variant is excluded", self.node.span)
        return self._named(chosen) if self._unlike(chosen) else ()

    def _is_small(self, axes: Sequence[Axis], included: Sequence[_Chosen]) -> bool:
        """Refuse more than there may be, before any variant is made; return whether it is less."""
        spanned = prod(len(axis.choices) for axis in axes)
        count = self.copies * (spanned + len(included))
        if count > MAX_VARIANTS:
            number = f"{count:,}" if count <= COUNTED else f"more than {COUNTED:,}"
            message = f"{number} variants are more than the {MAX_VARIANTS:,} that a spec may have"
            self.reader.refuse(message, self.node.span, "split the matrix, or use longer steps")
            return False
        weights = Weights()
        most = MAX_WEIGHT // self.copies
        room = most - sum(weights.of(one.settings) for one in included)
        for axis in axes:
            each = sum(weights.of(choice.settings) for choice in axis.choices)
            room -= each * (spanned // len(axis.choices))
        if room < 0:
            message = "the settings of all variants are larger than 16 MiB together"
            self.reader.refuse(message, self.node.span, "say outside the matrix what all share")
        return room >= 0

    def _axes(self) -> list[Axis]:
        """Return the axes in the order of a spec, named variants last."""
        axes: list[Axis] = []
        spanned = 1
        for key, child in self.node.children.items():
            if key in (EXCLUDE, INCLUDE, VARIANTS) or spanned > COUNTED:
                continue
            axis = self.reader.axis(str(key), self.node.keys[key], child)
            if axis is not None:
                axes.append(axis)
                spanned *= len(axis.choices)
        axes.sort(key=lambda axis: (_rank(axis.path), axis.path))
        if VARIANTS in self.node.children:
            named = self.reader.named(self.node.children[VARIANTS], self.node.keys[VARIANTS])
            axes += [named] if named is not None else []
        self.reader.check_apart(axes)
        return self.reader.worded(axes)

    def _included(self) -> list[_Chosen]:
        """Return what `include` adds; a name where it gives one."""
        found = []
        for item in self.reader.items(self.node, INCLUDE):
            name, settings = self.reader.inclusion(item)
            if settings or name:
                found.append(_Chosen(name, tuple(settings), item))
        return found

    def _product(self, axes: Sequence[Axis]) -> Iterator[_Chosen]:
        if not axes:
            return
        exclusions = self._exclusions(axes)
        every = list(product(*(range(len(axis.choices)) for axis in axes)))
        lengths = [len(axis.choices) for axis in axes]
        variants = variants_by_choice(every, lengths) if exclusions else ()
        out = 0
        for item, exclusion in exclusions:
            if exclusion is not None:
                matched = hit(exclusion, variants, len(every))
                out |= matched
                if not matched:
                    self.reader.refuse("this exclusion matches no variant", item.span)
        for index, numbers in enumerate(every):
            if not out >> index & 1:
                choices = [axis.choices[i] for axis, i in zip(axes, numbers, strict=True)]
                name = "-".join(choice.word for choice in choices)
                settings = tuple(one for choice in choices for one in choice.settings)
                yield _Chosen(name, settings, self.node)

    def _exclusions(self, axes: Sequence[Axis]) -> list[tuple[Node, Exclusion | None]]:
        items = self.reader.items(self.node, EXCLUDE)
        by_name = {dotted(axis.path) or VARIANTS: i for i, axis in enumerate(axes)}
        choices = [by_identity(axis.choices) for axis in axes] if items else []
        return [(item, self._exclusion(item, by_name, choices)) for item in items]

    def _exclusion(
        self, item: Node, by_name: Mapping[str, int], choices: Sequence[Choices]
    ) -> Exclusion | None:
        """Return the choices that an exclusion speaks of; None where it is refused."""
        found: dict[int, frozenset[int]] = {}
        for key, child in item.children.items():
            index = by_name.get(str(key))
            if index is None:
                self.reader.unknown(str(key), item.keys[key], by_name)
                return None
            numbers = matching(choices[index], child)
            if not numbers:
                message = f"`{key}` never has this value in the matrix"
                self.reader.refuse(message, child.span)
                return None
            found[index] = numbers
        return found

    def _unlike(self, chosen: Sequence[_Chosen]) -> bool:
        """Refuse variants that set the same; return whether there were none."""
        seen: dict[bytes, _Chosen] = {}
        for one in chosen:
            same = seen.setdefault(canonical(one.plain()), one)
            if same is not one:
                message = f"`{one.name or 'this variant'}` sets what `{same.name}` sets already"
                self.reader.refuse(message, one.node.span)
        return not self.reader.problems

    def _named(self, chosen: Sequence[_Chosen]) -> tuple[Combination, ...]:
        plain = [one.plain() for one in chosen]
        given = [
            one.name or _name_of(settings) for one, settings in zip(chosen, plain, strict=True)
        ]
        fit = [fitted(name, settings) for name, settings in zip(given, plain, strict=True)]
        names = distinct(fit)
        for name, one, wanted in zip(names, chosen, fit, strict=True):
            if name != wanted and one.node is not self.node:
                self.reader.refuse(f"two variants are called `{wanted}`", one.node.span)
        return tuple(
            Combination(name, settings, _tree(one.settings, self.node))
            for name, settings, one in zip(names, plain, chosen, strict=True)
        )


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What one variant sets, before it has its final name."""

    name: str
    settings: tuple[Setting, ...]
    node: Node
    """Where a message about it points: the matrix, or its item of `include`."""

    def plain(self) -> dict[str, Json]:
        return {dotted(one.path): _in_order(one.node.value) for one in self.settings}


def _in_order(value: Json) -> Json:
    """Return a value whose sections have their keys in one order, however they were written."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value)}
    return [_in_order(one) for one in value] if isinstance(value, list) else value


def _rank(path: Path) -> int:
    return ORDER.index(path[0]) if path[0] in ORDER else len(ORDER)


def _name_of(settings: Mapping[str, Json]) -> str:
    """Return a name for an inclusion that gives none."""
    words = (f"{path.rpartition('.')[2]}-{slug(value)}" for path, value in settings.items())
    return "-".join(words)


def _tree(settings: Sequence[Setting], matrix: Node) -> Node:
    """Return settings as one section, each key where its dotted path is written."""
    root = _Branch({}, {})
    for setting in settings:
        branch = root
        *above, last = setting.path
        for step in above:
            branch.keys.setdefault(step, setting.key)
            inner = branch.children.setdefault(step, _Branch({}, {}))
            assert isinstance(inner, _Branch)  # `check_apart` refused a setting around it
            branch = inner
        branch.children[last], branch.keys[last] = setting.node, setting.key
    return root.node(matrix.span, matrix.source)


@dataclass(slots=True)
class _Branch:
    children: dict[str | int, _Branch | Node]
    keys: dict[str | int, Span]

    def node(self, span: Span, source: Source) -> Node:
        inner = {
            step: child if isinstance(child, Node) else child.node(self.keys[step], source)
            for step, child in self.children.items()
        }
        values = {str(step): child.value for step, child in inner.items()}
        return Node(values, span, source, inner, self.keys)
