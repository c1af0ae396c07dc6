"""Differentiable siamese augmentation (Zhao and Bilen, ICML 2021; their code's default mode)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from ddspec.spec.augmentation import DsaSpec
from ddspec_runners.augment.base import Draws
from ddspec_runners.augment.operations import apply_chosen, draw_operations


@dataclass(frozen=True, slots=True)
class Dsa:
    """One of the listed operations a call, chosen uniformly; parameters differ by row."""

    spec: DsaSpec

    def draw(self, n: int, size: int, rng: Generator, *, shared: bool) -> Draws:
        """Return the choice and the parameters of every listed operation."""
        return draw_operations(self.spec, self.spec.operations, n, size, rng, shared=shared)

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Return the images after the chosen operation."""
        return apply_chosen(x, draws, self.spec.operations)
