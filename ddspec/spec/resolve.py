"""From the layers of a spec to its experiment, or to that of one variant of its matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ddspec.errors import DdspecError, Exit
from ddspec.spec.experiment import Experiment
from ddspec.spec.explain import MAX_TOLD, explained, in_order, validate
from ddspec.spec.interpolate import misplaced_variables
from ddspec.spec.layers import CONTEXT, DIRECTIVES, Ground, Layers, bare, over, with_rest
from ddspec.spec.loaded import Loaded
from ddspec.spec.merge import only
from ddspec.spec.nodes import Document, Node

if TYPE_CHECKING:
    from ddspec.spec.matrix import Combination

_SECTIONS = frozenset(Experiment.model_fields)


def with_overrides(loaded: Loaded, overrides: Node | None) -> Loaded:
    """Return the spec as one variant of its matrix sets it.

    `overrides` is a section like a spec's own, laid over it; the preset's blocks are chosen anew
    where it changes what they depend on. Raises `DdspecError` (invalid).
    """
    return _resolved(loaded.layers, overrides)


def first(layers: Layers) -> Loaded:
    """Return a spec, or its first variant: without what variants set, it need not be one."""
    if not any(key in layers.document.root.children for key in ("matrix", "replicates")):
        return _resolved(layers, None)
    try:
        combinations = _combinations(layers.document.root)
    except DdspecError as error:
        raise with_rest(error, layers.document) from None
    try:
        made = _resolved(layers, combinations[0].overrides)
    except DdspecError as error:
        raise _of_all(error, layers, combinations[1:]) from None
    return replace(made, combinations=combinations)


def _combinations(root: Node) -> tuple[Combination, ...]:
    """Return the variants that a matrix and replicates span."""
    from ddspec.spec.matrix import read_matrix

    matrix, number = root.children.get("matrix"), root.children.get("replicates")
    copies = number.value if number is not None and isinstance(number.value, int) else 1
    found = () if matrix is None else read_matrix(matrix, copies)
    if number is None or number.value is None:
        return found
    from ddspec.spec.replicates import alone, replicated

    every, seed = found or (alone(number),), _seed(root)
    # what is no seed is refused where the first variant is validated, as long as it is still there
    return every if seed is None else replicated(every, number, seed)


def _seed(root: Node) -> int | None:
    """Return the seed of a spec; None for what is none."""
    given = root.children.get("seed")
    value = Experiment.model_fields["seed"].default if given is None else given.value
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _of_all(error: DdspecError, layers: Layers, rest: Sequence[Combination]) -> DdspecError:
    """Return an error of the first variant with those of all others, each once."""
    problems = dict.fromkeys(error.diagnostics)
    for one in rest[:MAX_TOLD]:
        try:
            _resolved(layers, one.overrides)
        except DdspecError as other:
            problems |= dict.fromkeys(other.diagnostics)
    return DdspecError(in_order(problems, layers.document.source.file), exit=error.exit)


def _resolved(layers: Layers, overrides: Node | None) -> Loaded:
    if overrides is not None:
        overrides = _checked(overrides, layers.document)
    try:
        ground = layers.ground(overrides)
    except DdspecError as error:
        raise with_rest(error, layers.document) from None
    stack = over(ground, overrides)
    return Loaded(_experiment(stack.document, ground), stack, layers)


def _checked(overrides: Node, document: Document) -> Node:
    """Return overrides in the form of a document; refuse what a document is refused for."""
    problems = list(misplaced_variables(overrides))
    if "preset" in overrides.children:
        from ddspec.spec.directives import Directives, normalised

        overrides = normalised(overrides)
        chosen = replace(document, root=only(overrides, ("preset",)))
        problems += explained(chosen, Directives)[1]
    if problems:
        raise with_rest(DdspecError(problems, exit=Exit.INVALID), document)
    return overrides


def _experiment(document: Document, ground: Ground) -> Experiment:
    """Validate a document; sections that are those of a known variant are taken from there.

    That is the same, for no rule of an experiment looks at two of its sections.
    """
    judged = bare(document)
    if ground.known is not None and not document.problems:
        other, known = ground.known
        written, same = judged.root.children, other.root.children
        values = {
            key: getattr(known, key)
            if key in _SECTIONS and written[key] is same.get(key)
            else value
            for key, value in judged.root.value.items()  # type: ignore[union-attr]  # a section
        }
        try:
            return Experiment.model_validate(values)
        except ValidationError:
            pass  # told below, in words and with places
    guides = CONTEXT if ground.stack.preset is not None else ()
    made = validate(judged, Experiment, also=DIRECTIVES, guides=guides)
    ground.known = (document, made)
    return made
