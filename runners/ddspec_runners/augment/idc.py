"""The augmentation of IDC (Kim et al., ICML 2022; the order of their official code)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from ddspec.spec.augmentation import IdcAugmentationSpec, Operation
from ddspec_runners.augment.base import Draws
from ddspec_runners.augment.operations import OPERATIONS, apply_chosen, draw_operations

BEFORE: tuple[Operation, ...] = ("flip", "color")
EXCLUSIVE: tuple[Operation, ...] = ("crop", "scale", "rotate")
AFTER: tuple[Operation, ...] = ("cutout",)


@dataclass(frozen=True, slots=True)
class Idc:
    """Flip, colour, exactly one of crop, scale and rotate, then cutout: those that are listed."""

    spec: IdcAugmentationSpec

    def draw(self, n: int, size: int, rng: Generator, *, shared: bool) -> Draws:
        """Return the choice among crop, scale and rotate, and every operation's parameters."""
        return draw_operations(self.spec, self._listed(EXCLUSIVE), n, size, rng, shared=shared)

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the images after all listed steps, in IDC's order whatever the order listed."""
        for name in self._listed(BEFORE):
            x = OPERATIONS[name].apply(x, draws)
        x = apply_chosen(x, draws, self._listed(EXCLUSIVE))
        for name in self._listed(AFTER):
            x = OPERATIONS[name].apply(x, draws)
        return x

    def _listed(self, names: tuple[Operation, ...]) -> tuple[Operation, ...]:
        return tuple(name for name in names if name in self.spec.operations)
