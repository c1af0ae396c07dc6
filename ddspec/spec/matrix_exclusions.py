"""Which variants the exclusions of a matrix speak of, for thousands of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import TypeAlias

from ddspec.canon import canonical
from ddspec.spec.matrix_parts import Choice
from ddspec.spec.nodes import Node

Exclusion: TypeAlias = "Mapping[int, frozenset[int]]"
"""By the number of an axis, the choices that an exclusion speaks of."""
Choices: TypeAlias = "Mapping[bytes, frozenset[int]]"
"""Choices of an axis by what an exclusion calls them."""


def variants_by_choice(
    every: Sequence[Sequence[int]], lengths: Sequence[int]
) -> Sequence[Sequence[int]]:
    """Return for each choice of each axis the variants that have it, as bits of one integer."""
    found = []
    for axis, length in enumerate(lengths):
        bits = [bytearray(len(every) // 8 + 1) for _ in range(length)]
        for index, numbers in enumerate(every):
            bits[numbers[axis]][index // 8] |= 1 << index % 8
        found.append([int.from_bytes(one, "little") for one in bits])
    return found


def hit(exclusion: Exclusion, variants: Sequence[Sequence[int]], count: int) -> int:
    """Return the variants that an exclusion speaks of, as bits."""
    left = (1 << count) - 1
    for axis, chosen in exclusion.items():
        left &= reduce(or_, (variants[axis][number] for number in chosen))
    return left


def by_identity(choices: Sequence[Choice]) -> Choices:
    """Return choices by what an exclusion calls them."""
    found: dict[bytes, frozenset[int]] = {}
    for number, choice in enumerate(choices):
        identity = choice.identity()
        found[identity] = found.get(identity, frozenset()) | {number}
    return found


def matching(choices: Choices, node: Node) -> frozenset[int]:
    """Return the choices with a value: the value itself, one of a list, or a variant's name."""
    values = [node.value, *(node.value if isinstance(node.value, list) else ())]
    wanted = {canonical(value) for value in values}
    return frozenset().union(*(choices.get(value, frozenset()) for value in wanted))
