"""Gradient matching, class by class.

Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021 (cosine over rows); Kim et
al., ICML 2022, and Zhang et al., CVPR 2023, official codes (sums over convolution kernels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ddspec.spec.method import GradientMatcherSpec
from ddspec_runners.functional.distances import DISTANCES
from ddspec_runners.functional.gradients import (
    differentiable_gradient,
    parameter_gradient,
    watched,
)
from ddspec_runners.functional.params import selected
from ddspec_runners.nets.base import Network, Params


@dataclass(frozen=True, slots=True)
class GradientTarget:
    """The network that was used, and the real gradient of each class."""

    leaves: Mapping[str, Tensor]
    names: tuple[str, ...]
    """Parameters that are compared."""
    classes: tuple[int, ...]
    real: tuple[tuple[Tensor, ...], ...]
    statistics: Params | None = None
    """Running statistics that batch norm was frozen at."""


@dataclass(frozen=True, slots=True)
class GradientMatcher:
    """Distance between the parameter gradients of real and synthetic images of a class."""

    spec: GradientMatcherSpec
    network: Network
    blocks: Literal["class"] = "class"
    exempt: Mapping[str, str] = field(default_factory=dict)

    def target(
        self,
        params: Params,
        real: Sequence[Tensor],
        classes: Sequence[int],
        statistics: Params | None = None,
        accuracy: Tensor | None = None,
    ) -> GradientTarget:
        """Return the gradient of the mean cross-entropy of each class's real images.

        It is the same, however well the network does (`accuracy`).
        """
        names = selected(params, self.spec.parameters)
        leaves = watched(params, names)
        gradients = tuple(
            parameter_gradient(self.network, leaves, names, images, label, statistics)
            for images, label in zip(real, classes, strict=True)
        )
        return GradientTarget(leaves, names, tuple(classes), gradients, statistics)

    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        """Return the distances, (K,); second derivatives of the network are on the graph."""
        distance = DISTANCES[self.spec.distance]
        return torch.stack(
            [
                distance(self._gradient(target, images, label), real)
                for images, label, real in zip(synthetic, target.classes, target.real, strict=True)
            ]
        )

    def _gradient(self, target: GradientTarget, images: Tensor, label: int) -> tuple[Tensor, ...]:
        return differentiable_gradient(
            self.network, target.leaves, target.names, images, label, target.statistics
        )
