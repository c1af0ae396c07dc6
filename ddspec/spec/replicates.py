"""`replicates:` of a spec: every variant several times, with a seed of its own each time.

    seed: 3
    replicates: 5           # seeds 3 to 7

Nothing is told of a method by one set that it made; the spread over seeds tells how far another
one may be from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ddspec.canon import Json
from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.spec.matrix import Combination
from ddspec.spec.nodes import Node
from ddspec.spec.variant_names import distinct, fitted

SEED = "seed"


def replicated(
    combinations: Iterable[Combination], number: Node, first_seed: int
) -> tuple[Combination, ...]:
    """Return each variant with seeds from the first one on, as many as `replicates:` says.

    Raises `DdspecError` (invalid) where the matrix sets the seed itself.
    """
    combinations = tuple(combinations)
    _require_no_seed(combinations, number)
    every = [one for alone in combinations for one in _of_one(alone, number, first_seed)]
    names = distinct([fitted(one.name, one.settings) for one in every])
    return tuple(replace(one, name=name) for one, name in zip(every, names, strict=True))


def alone(number: Node) -> Combination:
    """Return the only variant of a spec without a matrix, before it is replicated."""
    return Combination("", {}, replace(number, value={}, children={}, keys={}))


def _of_one(one: Combination, number: Node, first_seed: int) -> Iterator[Combination]:
    count = number.value
    assert isinstance(count, int)  # as directives are validated
    for seed in range(first_seed, first_seed + count):
        name = f"{one.name}-{SEED}-{seed}" if one.name else f"{SEED}-{seed}"
        settings: dict[str, Json] = {**one.settings, SEED: seed}
        yield Combination(name, settings, _with_seed(one.overrides, number, seed))


def _with_seed(overrides: Node, number: Node, seed: int) -> Node:
    """Return what a variant sets, with a seed that is written where `replicates:` is."""
    assert isinstance(overrides.value, dict)  # a variant sets a section
    node = Node(seed, number.span, number.source)
    return replace(
        overrides,
        value={**overrides.value, SEED: seed},
        children={**overrides.children, SEED: node},
        keys={**overrides.keys, SEED: number.span},
    )


def _require_no_seed(combinations: Iterable[Combination], number: Node) -> None:
    places: dict[Diagnostic, None] = {}
    for one in combinations:
        if SEED in one.overrides.children:
            span = one.overrides.keys[SEED]
            message = "the matrix sets `seed`, and so does `replicates`"
            line = number.place.line
            hint = f"leave one of them out; `replicates` is on line {line}"
            places[one.overrides.source.problem(message, *span, hint=hint)] = None
    if places:
        raise DdspecError(list(places), exit=Exit.INVALID)
