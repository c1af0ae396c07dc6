"""How much the settings of a matrix take, so that no small document makes a large plan of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ddspec.spec.matrix_parts import Setting
from ddspec.spec.nodes import Node

EACH = 16
"""What a value takes at least, whatever it is."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Weighs values by their characters; what is aliased is looked at once and counted always."""

    known: dict[int, int] = field(default_factory=dict)
    """By the identity of nodes, which the document keeps alive."""

    def of(self, settings: Iterable[Setting]) -> int:
        """Return what settings take together, paths included."""
        return sum(sum(map(len, one.path)) + self._weight(one.node) for one in settings)

    def _weight(self, node: Node) -> int:
        found = self.known.get(id(node))
        if found is None:
            own = len(node.value) if isinstance(node.value, str) else 0
            names = sum(len(key) for key in node.children if isinstance(key, str))
            found = EACH + own + names + sum(map(self._weight, node.children.values()))
            self.known[id(node)] = found
        return found
