"""Matching of training trajectories: how far from an expert a student ends.

Cazenavette et al., "Dataset Distillation by Matching Training Trajectories", CVPR 2022, Eq. 2 and
Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec.spec.method import TrajectoryMatcherSpec
from ddspec_runners.functional.unroll import GRADIENTS, Material, Pull, Student
from ddspec_runners.nets.base import Params
from ddspec_runners.pools.experts import Stretch


@dataclass(frozen=True, slots=True)
class TrajectoryMatcher:
    """||theta_N - theta*_{t+M}||^2 / ||theta*_t - theta*_{t+M}||^2, over all parameters.

    theta* are an expert's parameters after epochs, theta_N those of a student after N steps. The
    numerator is that of the student wherever it started: if its start was perturbed, the
    denominator still is what the expert itself moved, so that losses of all starts compare.
    """

    spec: TrajectoryMatcherSpec

    def pull(
        self, student: Student, start: Params, stretch: Stretch, material: Material, rate: Tensor
    ) -> Pull:
        """Return the loss of a student that starts at `start`, and its gradients.

        By the form that the spec names (see `ddspec_runners.functional.unroll`).
        """
        scale = squared_distance(stretch.start.params, stretch.end.params)

        def distance(params: Params) -> Tensor:
            return squared_distance(params, stretch.end.params) / scale

        return GRADIENTS[self.spec.gradient](student, start, material, rate, distance)


def squared_distance(one: Params, other: Params) -> Tensor:
    """Return the sum of squared differences of all parameters, a scalar."""
    return torch.stack([(one[name] - other[name]).square().sum() for name in one]).sum()
