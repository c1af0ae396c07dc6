"""Herding: choose so that the mean of the chosen follows the mean of all.

Welling, "Herding dynamical weights to learn", ICML 2009; as a choice of images, equation 4 of
Rebuffi et al., "iCaRL", CVPR 2017, without repetition.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ddspec_runners.selection.distances import mean_of, squared_distances


def herding(features: Tensor, count: int) -> Tensor:
    """Return which rows of (n, D) are chosen, in their order: int64 (count,), count at most n.

    The k-th is the one nearest to k times the mean minus the sum of those before it, so that the
    mean of the first k comes as near to the mean of all as one more row can bring it. Of equally
    near ones the first is taken, none twice. (DeepCore's code takes the farthest.)
    """
    mean = mean_of(features)
    total = torch.zeros_like(mean)
    chosen: list[int] = []
    for step in range(1, count + 1):
        distances = squared_distances(features, step * mean - total)
        distances[chosen] = math.inf
        nearest = int(distances.argmin())
        chosen.append(nearest)
        total += features[nearest].double()
    return torch.tensor(chosen, dtype=torch.int64)
