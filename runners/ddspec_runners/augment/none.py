"""No augmentation: images pass as they are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, Tensor

from ddspec_runners.augment.base import Draws


@dataclass(frozen=True, slots=True)
class Identity:
    """The policy that draws nothing and changes nothing."""

    def draw(self, n: int, size: int, rng: Generator, *, shared: bool) -> Draws:
        """Return no draws; `rng` is not advanced."""
        return {}

    def apply(self, x: Tensor, draws: Draws) -> Tensor:
        """Return `x` itself."""
        return x
